"""What a post says: at most 500 characters, counted as Mastodon counts them. Pure.

Summaries are text of strangers. In a post for people elsewhere nothing of it may call somebody
(``@name``), file the post under a tag (``#tag``) or become a link: only the link at its end is one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pkgstats.syndication import line

if TYPE_CHECKING:
    from pkgstats.digest import Entry

TEXT_MAX: Final = 500
"""Characters of a post, as Mastodon has it unless its operator sets another number."""

LINK_LENGTH: Final = 23
"""What Mastodon counts for a link, however long it is."""

HEAD_MAX: Final = 300
"""Characters of a post's first line: a name of 214, its version, and why."""

HEADS: Final = {"popular": "Popular", "newest": "New", "risers": "Rising", "random": "A find"}
"""How posts of each part of a digest begin."""

WORD_JOINER: Final = "\N{WORD JOINER}"
"""Takes no room and is no part of a word, so that what follows a sign is none of it."""

_LINK: Final = re.compile(r"https?://\S+")

_SIGN: Final = re.compile(r"[@#]|:(?=//)|\bwww(?=\.)", re.IGNORECASE)


def worded(part: str, one: Entry, link_to: str = "", *, social: bool = False) -> str:
    """The text of a post.

    Args:
        part: of the digest (`HEADS`).
        one: the package.
        link_to: address below which each package has a page; empty: no link.
        social: for people elsewhere: signs in it mean nothing (`defused`).
    """
    told = defused if social else str
    first = line(f"{HEADS[part]}: {one.name} {one.version} ({one.why})", HEAD_MAX)
    head = cut(told(first), HEAD_MAX)
    link = address_of(link_to, one.name) if link_to else ""
    room = TEXT_MAX - length(f"{head}\n\n\n\n{link}")
    summary = cut(told(line(one.summary, TEXT_MAX)), room)
    return "\n\n".join(paragraph for paragraph in (head, summary, link) if paragraph)


def address_of(base: str, name: str) -> str:
    """A package's page below a base address."""
    return f"{base.rstrip('/')}/package/{quote(name, safe='@/', errors='replace')}"


def length(text: str) -> int:
    """Characters as Mastodon counts them, or more: it counts signs of several characters as one."""
    return len(_LINK.sub("x" * LINK_LENGTH, text))


def cut(text: str, room: int) -> str:
    """The text, shortened to so many characters."""
    return text if len(text) <= room else f"{text[: max(0, room - 1)]}…"[: max(0, room)]


def defused(text: str) -> str:
    """The text without signs that call people, set tags or make links; it looks the same."""
    return _SIGN.sub(lambda sign: sign[0] + WORD_JOINER, text)
