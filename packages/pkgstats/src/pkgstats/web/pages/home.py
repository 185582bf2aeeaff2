"""The first page: the search field, how to ask, and packages to begin with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pkgstats.web.render import SITE
from pkgstats.web.site import Page

if TYPE_CHECKING:
    from starlette.requests import Request

    from pkgstats.web.site import Site


@dataclass(frozen=True, slots=True)
class Home:
    """What is here.

    Attributes:
        packages, writers: how many.
    """

    packages: int
    writers: int


async def home(site: Site, _: Request) -> Page:
    """The first page."""
    counts = await site.ask(lambda view: view.counts())
    return Page(
        template="home.html",
        title=SITE,
        data=Home(counts.packages, counts.writers),
        description="Find npm packages and their numbers, on your own machine.",
        path="/",
    )
