from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.digest import Entry
from pkgstats.posting.wording import (
    HEADS,
    LINK_LENGTH,
    TEXT_MAX,
    WORD_JOINER,
    address_of,
    cut,
    defused,
    length,
    worded,
)

ENTRY = Entry("@types/node", "24.0.1", "Types for node", 1, "+12% in a week", 0)
BASE = "https://packages.example/"


def test_a_post_says_what_and_why_and_where() -> None:
    assert worded("risers", ENTRY, BASE) == (
        "Rising: @types/node 24.0.1 (+12% in a week)\n\n"
        "Types for node\n\nhttps://packages.example/package/@types/node"
    )


def test_without_a_link_or_a_summary_there_is_none() -> None:
    bare = Entry("x", "1.0.0", "", 1, "by chance", 0)
    assert worded("random", bare) == "A find: x 1.0.0 (by chance)"


def test_nothing_in_it_calls_tags_or_links_elsewhere() -> None:
    evil = Entry("@scope/x", "1", "@you #spam https://evil.example WWW.evil.example", 1, "y", 0)
    text = worded("newest", evil, BASE, social=True)
    assert text.replace(WORD_JOINER, "") == worded("newest", evil, BASE)
    head, summary, link = text.split("\n\n")
    assert not re.search(r"[@#]\w|://|www\.", f"{head} {summary}", re.IGNORECASE)
    assert link == "https://packages.example/package/@scope/x"


def test_links_count_as_mastodon_counts_them() -> None:
    assert length(f"see https://a.example/{'x' * 300} now") == len("see  now") + LINK_LENGTH
    assert length("http://a.b") == LINK_LENGTH


def test_a_long_summary_fills_the_post_and_no_more() -> None:
    entry = Entry("x", "1", "s" * 2000, 1, "y", 0)
    assert length(worded("popular", entry, BASE)) == TEXT_MAX
    assert worded("popular", entry, BASE).split("\n\n")[1].endswith("s…")
    assert cut("abc", 0) == cut("abc", -5) == ""


@given(
    st.sampled_from(sorted(HEADS)),
    st.text(max_size=300),
    st.text(max_size=300),
    st.text(max_size=1000),
    st.booleans(),
)
def test_no_post_is_too_long(part: str, name: str, version: str, summary: str, far: bool) -> None:
    text = worded(part, Entry(name, version, summary, 1, "@#" * 99, 0), BASE, social=far)
    assert length(text) <= TEXT_MAX
    assert text.endswith(address_of(BASE, name))
    assert len(text.split("\n")) <= 5


@pytest.mark.parametrize("text", ["", "plain text: nothing here", "a/b 1:2"])
def test_other_text_stays(text: str) -> None:
    assert defused(text) == text
