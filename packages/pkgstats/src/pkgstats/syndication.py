"""Feeds for readers: Atom (RFC 4287) and JSON Feed 1.1, of the same `Feed`. Pure.

Titles, summaries and tags are text of strangers: shown in one line, without what a terminal could
obey or XML does not take, and cut at a length, before anything is escaped. Links that are no web
addresses are left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from collections.abc import Iterator

ATOM: Final = "application/atom+xml"
JSON_FEED: Final = "application/feed+json"
"""Media types, for ``Content-Type`` and for links to a feed."""

ITEMS_MAX: Final = 200
"""Items of one feed; readers come again."""

TITLE_MAX: Final = 300
"""Characters of a title or subtitle."""

SUMMARY_MAX: Final = 4000
"""Characters of a summary."""

TAGS_MAX: Final = 20
"""Tags of an item."""

TAG_MAX: Final = 100
"""Characters of a tag."""

ADDRESS_MAX: Final = 4000
"""Characters of an address; a longer one is left out, since half of one leads elsewhere."""

AUTHOR: Final = "Pkg Stats"
"""Who made the feed; Atom asks for a name, and what is in it comes from many."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

TIME_MAX: Final = 253_402_300_799_000
"""The last second of the year 9999, the last that a date of four digits can name."""

URN_SAFE: Final = "@/:~!'()*+;=$,&"
"""What a name may have beside letters, digits and ``-._``, and stays in an identifier."""


@dataclass(frozen=True, slots=True)
class Item:
    """One entry.

    Attributes:
        id: an IRI that no other item ever has, and this one always: `urn`, say.
        title, summary: plain text.
        updated: when it became so, ms since 1970, UTC.
        link: the web address of its page; empty: it has none.
        tags: plain text.
    """

    id: str
    title: str
    updated: int
    summary: str
    link: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Feed:
    """What a reader follows.

    Attributes:
        id: an IRI, as of an item.
        title, subtitle: plain text.
        updated: when it last changed, ms since 1970, UTC.
        items: newest first, or best first; `ITEMS_MAX` of them are told.
        home: the web address of the page for people; empty: it has none.
        itself: the web address of the feed, in the form that is asked for; empty: it has none.
    """

    id: str
    title: str
    updated: int
    items: tuple[Item, ...]
    home: str = ""
    itself: str = ""
    subtitle: str = ""


def as_atom(feed: Feed) -> str:
    """The feed as RFC 4287 has it."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
        f"{_head(feed.id, feed.title, feed.updated)}"
        f"{_element('subtitle', line(feed.subtitle, TITLE_MAX)) if feed.subtitle else ''}"
        f"<author>{_element('name', AUTHOR, end='')}</author>\n"
        f"{_link('self', feed.itself, ATOM)}{_link('alternate', feed.home)}"
        f"{''.join(_entry(item) for item in feed.items[:ITEMS_MAX])}</feed>\n"
    )


def as_json_feed(feed: Feed) -> str:
    """The feed as JSON Feed 1.1 has it (jsonfeed.org/version/1.1)."""
    told: dict[str, Any] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": line(feed.title, TITLE_MAX),
        "home_page_url": web_address(feed.home),
        "feed_url": web_address(feed.itself),
        "description": line(feed.subtitle, TITLE_MAX),
        "authors": [{"name": AUTHOR}],
        "items": [_json_item(item) for item in feed.items[:ITEMS_MAX]],
    }
    told = {key: value for key, value in told.items() if value or key in {"title", "items"}}
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"


def urn(*parts: str) -> str:
    """``urn:pkgstats:a:b``: an identifier that all peers share, as no web address is."""
    return ":".join(
        ["urn:pkgstats", *(quote(part, URN_SAFE, "utf-8", "replace") for part in parts)]
    )


def line(text: str, limit: int) -> str:
    """The text in one line (`plain`), cut at so many characters."""
    return plain(text if len(text) <= limit else f"{text[: limit - 1]}…")


def plain(text: str) -> str:
    """In one line, without what a terminal could obey or XML does not take."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def web_address(text: str) -> str:
    """The address if it is one of the web that feeds may link to; else empty."""
    web = text.startswith(("https://", "http://")) and len(text) <= ADDRESS_MAX
    return text if web and text.isprintable() and " " not in text else ""


def date_text(at: int) -> str:
    """``2026-08-28`` of a time in ms since 1970, UTC."""
    return moment_text(at)[:10]


def moment_text(at: int) -> str:
    """``2026-08-28T00:00:00Z`` of a time in ms (RFC 3339); what a year cannot name is cut off."""
    moment = EPOCH + timedelta(milliseconds=min(max(at, 0), TIME_MAX))
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _entry(item: Item) -> str:
    tags = "".join(f"<category term={quoteattr(tag)}/>\n" for tag in _tags(item))
    return (
        f"<entry>\n{_head(item.id, item.title, item.updated)}{_link('alternate', item.link)}{tags}"
        f'<content type="text">{escape(line(item.summary, SUMMARY_MAX))}</content>\n</entry>\n'
    )


def _json_item(item: Item) -> dict[str, Any]:
    told = {
        "id": plain(item.id),
        "url": web_address(item.link),
        "title": line(item.title, TITLE_MAX),
        "content_text": line(item.summary, SUMMARY_MAX),
        "date_published": moment_text(item.updated),
        "tags": list(_tags(item)),
    }
    return {key: value for key, value in told.items() if value or key == "content_text"}


def _head(identifier: str, title: str, updated: int) -> str:
    return (
        _element("id", plain(identifier))
        + _element("title", line(title, TITLE_MAX))
        + _element("updated", moment_text(updated))
    )


def _tags(item: Item) -> Iterator[str]:
    yield from (line(tag, TAG_MAX) for tag in item.tags[:TAGS_MAX] if tag)


def _link(relation: str, address: str, kind: str = "text/html") -> str:
    if not (address := web_address(address)):
        return ""
    return f'<link rel="{relation}" type="{kind}" href={quoteattr(address)}/>\n'


def _element(tag: str, text: str, end: str = "\n") -> str:
    return f"<{tag}>{escape(text)}</{tag}>{end}"
