"""The first page: the search field, how to ask, and packages to begin with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pkgstats.web.memo import Memo
from pkgstats.web.pages.lists import KINDS, entries
from pkgstats.web.render import SITE
from pkgstats.web.site import Page

if TYPE_CHECKING:
    from starlette.requests import Request

    from pkgstats.digest import Entry
    from pkgstats.view.reading import View
    from pkgstats.web.site import Site

SIZE: Final = 6
"""Packages of each list."""

_memo: Final = Memo()


@dataclass(frozen=True, slots=True)
class Shelf:
    """The first packages of a list.

    Attributes:
        kind: ``popular``, ``rising``, ``newest`` or ``random``.
        title: in words.
        packages: the first first.
    """

    kind: str
    title: str
    packages: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Home:
    """What is here.

    Attributes:
        packages, writers: how many.
        shelves: some of each list.
    """

    packages: int
    writers: int
    shelves: tuple[Shelf, ...]


async def home(site: Site, _: Request) -> Page:
    """The first page."""
    now = site.clock()
    data = await site.ask(lambda view: _home(view, now))
    return Page(
        template="home.html",
        title=SITE,
        data=data,
        description="Find npm packages and their numbers, on your own machine.",
        path="/",
    )


def _home(view: View, now: int) -> Home:
    counts = _memo.get((view.identity, view.generation), view.counts)
    shelves = [Shelf(kind.name, kind.short, entries(view, kind, now, SIZE)) for kind in KINDS]
    return Home(counts.packages, counts.writers, tuple(shelves))
