"""Asks the pages as a browser and a program would, and reads what they answer."""

from __future__ import annotations

from contextlib import asynccontextmanager
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import httpx

from pkgstats.folder import VIEW_FILE, search_in
from pkgstats.web.app import application
from pkgstats.web.guard import LOOPBACK_NAMES
from pkgstats.web.site import Site

from .facts import NOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from pkgstats.web.site import Days, Door, Settings

BASE = "http://127.0.0.1:8642"

VOID = set("area base br col embed hr img input link meta source track wbr".split())  # noqa: SIM905


@asynccontextmanager
async def site_of(
    folder: Path,
    *,
    days: Days | None = None,
    door: Door | None = None,
    settings: Settings | None = None,
    now: int = NOW,
) -> AsyncIterator[Site]:
    """The site over a node's folder, at a time (ms) that does not pass."""
    async with (
        search_in(folder) as search,
        Site(
            folder / VIEW_FILE,
            search,
            days=days,
            door=door,
            settings=settings,
            clock=lambda: now,
        ) as site,
    ):
        yield site


@asynccontextmanager
async def browsing(
    folder: Path,
    *,
    days: Days | None = None,
    door: Door | None = None,
    settings: Settings | None = None,
    now: int = NOW,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the site, without a network."""
    async with site_of(folder, days=days, door=door, settings=settings, now=now) as site:
        transport = httpx.ASGITransport(application(site, hosts=LOOPBACK_NAMES))
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
            yield http


class Element:
    """An element of a page: its tag, attributes, and what is in it."""

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Element | str] = []

    def __getitem__(self, attribute: str) -> str:
        return self.attributes[attribute]

    @property
    def text(self) -> str:
        """All text in it, white space as a browser shows it."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        for one in self.children:
            if isinstance(one, str):
                yield one
            else:
                yield from one._texts()

    def all(self, selector: str) -> list[Element]:
        """The elements in it that are ``tag``, ``.class``, ``#id`` or ``tag.class``, in order."""
        return [one for one in self._inside() if one._fits(selector)]

    def one(self, selector: str) -> Element:
        """The only such element."""
        (found,) = self.all(selector)
        return found

    def texts(self, selector: str) -> list[str]:
        """The texts of such elements."""
        return [one.text for one in self.all(selector)]

    def links(self) -> dict[str, str]:
        """Where its links lead, by their texts; of equal texts the last."""
        return {one.text: one["href"] for one in self.all("a")}

    def _inside(self) -> Iterator[Element]:
        for one in self.children:
            if isinstance(one, Element):
                yield one
                yield from one._inside()

    def _fits(self, selector: str) -> bool:
        if selector.startswith("#"):
            return self.attributes.get("id") == selector[1:]
        tag, _, name = selector.partition(".")
        classes = self.attributes.get("class", "").split()
        return tag in ("", self.tag) and (not name or name in classes)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        one = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(one)
        if tag not in VOID:
            self.open.append(one)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> ends a <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parsed(answer: httpx.Response) -> Element:
    """The page; each element that was begun is ended, optional ends included."""
    assert answer.headers["content-type"].startswith("text/html")
    parser = _Parser()
    parser.feed(answer.text)
    parser.close()
    assert parser.open == [parser.root]
    return parser.root
