from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats import syndication
from pkgstats.syndication import (
    ITEMS_MAX,
    SUMMARY_MAX,
    TAG_MAX,
    TAGS_MAX,
    TITLE_MAX,
    Feed,
    Item,
    as_atom,
    as_json_feed,
    moment_text,
    urn,
    web_address,
)

AT = 1_788_000_000_000
HOSTILE = "<script>&\"' \x1b[31m]]> \u202e\x00\ud800\ufffe evil"
ITEM = Item(urn("package", "react"), "react 19.2.0", AT, "A library", "https://a.example/react")
FEED = Feed(
    urn("popular"),
    "Most popular",
    AT,
    (ITEM,),
    home="https://a.example/popular",
    itself="https://a.example/popular.atom?page=1&all=1",
    subtitle="By downloads",
)
SPACE = "{http://www.w3.org/2005/Atom}"
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def parsed(feed: Feed) -> ET.Element:
    return ET.fromstring(as_atom(feed).encode())  # noqa: S314 - our own


def links(element: ET.Element) -> dict[str, str]:
    return {one.attrib["rel"]: one.attrib["href"] for one in element.findall(f"{SPACE}link")}


def valid_atom(feed: ET.Element) -> None:
    """What RFC 4287 (4.1.1, 4.1.2) demands of a feed and its entries."""
    assert len(feed.findall(f"{SPACE}author")) == 1, "so that no entry needs one"
    entries = feed.findall(f"{SPACE}entry")
    for element in (feed, *entries):
        for tag in ("id", "title", "updated"):
            assert len(element.findall(f"{SPACE}{tag}")) == 1
        assert RFC3339.fullmatch(element.findtext(f"{SPACE}updated") or "")
        assert ":" in (element.findtext(f"{SPACE}id") or "")
    for entry in entries:
        assert len(entry.findall(f"{SPACE}content")) == 1, "an entry without needs a link"


def valid_json(told: dict[str, Any]) -> None:
    """What JSON Feed 1.1 demands."""
    assert told["version"] == "https://jsonfeed.org/version/1.1"
    assert isinstance(told["title"], str)
    assert all(isinstance(told.get(key, ""), str) for key in ("feed_url", "home_page_url"))
    for item in told["items"]:
        assert isinstance(item["id"], str)
        assert item["id"]
        assert isinstance(item["content_text"], str)
        assert RFC3339.fullmatch(item["date_published"])
        assert all(isinstance(tag, str) for tag in item.get("tags", []))


def test_atom_tells_all_of_it() -> None:
    feed = parsed(FEED)
    valid_atom(feed)
    assert links(feed) == {"self": FEED.itself, "alternate": FEED.home}
    assert feed.findtext(f"{SPACE}subtitle") == "By downloads"
    (entry,) = feed.findall(f"{SPACE}entry")
    assert entry.findtext(f"{SPACE}id") == "urn:pkgstats:package:react"
    assert entry.findtext(f"{SPACE}title") == "react 19.2.0"
    assert entry.findtext(f"{SPACE}content") == "A library"
    assert links(entry) == {"alternate": "https://a.example/react"}


def test_json_feed_tells_all_of_it() -> None:
    told = json.loads(as_json_feed(FEED))
    valid_json(told)
    assert told["home_page_url"] == FEED.home
    assert told["feed_url"] == FEED.itself
    assert told["description"] == "By downloads"
    assert told["items"][0]["url"] == "https://a.example/react"
    assert told["items"][0]["date_published"] == moment_text(AT)


def test_without_addresses_there_are_no_links() -> None:
    feed = replace(FEED, home="", itself="", subtitle="", items=(replace(ITEM, link=""),))
    assert not list(parsed(feed).iter(f"{SPACE}link"))
    told = json.loads(as_json_feed(feed))
    valid_json(told)
    assert not {"home_page_url", "feed_url", "description"} & set(told)
    assert "url" not in told["items"][0]


def test_a_feed_of_nothing_is_one() -> None:
    valid_atom(parsed(replace(FEED, items=())))
    assert json.loads(as_json_feed(replace(FEED, items=())))["items"] == []


def test_text_of_strangers_is_text() -> None:
    item = Item(urn("x", HOSTILE), HOSTILE, AT, HOSTILE, "javascript:alert(1)", (HOSTILE, ""))
    feed = replace(FEED, title=HOSTILE, subtitle=HOSTILE, items=(item,))
    valid_atom(parsed(feed))
    valid_json(json.loads(as_json_feed(feed).encode()))
    for made in (as_atom(feed), as_json_feed(feed)):
        assert not set("\x1b\u202e\x00\ud800\ufffe") & set(made)
        assert "javascript" not in made
    assert "<script>" not in as_atom(feed)
    (entry,) = parsed(feed).findall(f"{SPACE}entry")
    assert (entry.findtext(f"{SPACE}content") or "").startswith("<script>&\"' \ufffd[31m]]>")


def test_much_is_cut() -> None:
    long = "x" * 10_000
    item = Item(urn("x"), long, AT, long, f"https://a.example/{long}", (long,) * 100)
    feed = Feed(urn("y"), long, AT, (item,) * 10_000, subtitle=long)
    told = json.loads(as_json_feed(feed))
    assert len(told["title"]) == len(told["description"]) == TITLE_MAX
    assert len(told["items"]) == ITEMS_MAX
    first = told["items"][0]
    assert len(first["title"]) == TITLE_MAX
    assert len(first["content_text"]) == SUMMARY_MAX
    assert [len(tag) for tag in first["tags"]] == [TAG_MAX] * TAGS_MAX
    assert "url" not in first
    entries = parsed(feed).findall(f"{SPACE}entry")
    assert len(entries) == ITEMS_MAX
    assert len(entries[0].findall(f"{SPACE}category")) == TAGS_MAX


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (AT + 999, "2026-08-29T10:40:00Z"),
        (-5, "1970-01-01T00:00:00Z"),
        (2**63, "9999-12-31T23:59:59Z"),
    ],
)
def test_times_are_dates_whatever_was_said(at: int, text: str) -> None:
    assert moment_text(at) == text


@pytest.mark.parametrize(
    "address", ["", "/popular", "ftp://a/", "https://a b/", "http://a/\x1b", "javascript:x"]
)
def test_what_is_no_web_address_is_left_out(address: str) -> None:
    assert web_address(address) == ""


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("@scope/name", "urn:pkgstats:package:@scope/name"),
        ("a b%<", "urn:pkgstats:package:a%20b%25%3C"),
        ("\ud800", "urn:pkgstats:package:%3F"),
    ],
)
def test_identifiers_are_iris(name: str, identifier: str) -> None:
    assert urn("package", name) == identifier


@given(st.text(), st.text(), st.text(), st.integers())
def test_any_text_gives_feeds_that_can_be_read(
    title: str, summary: str, address: str, at: int
) -> None:
    item = Item(urn(title), title, at, summary, f"https://{address}", (title,))
    feed = Feed(urn(summary), title, at, (item,), f"https://{address}", address, summary)
    valid_atom(parsed(feed))
    valid_json(json.loads(as_json_feed(feed).encode()))
    assert syndication.plain(title) == json.loads(as_json_feed(feed))["title"] or len(title) > 300
