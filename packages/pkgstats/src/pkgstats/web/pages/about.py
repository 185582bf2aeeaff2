"""What this is, what leaves the machine, how it ranks, and who made what it stands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pkgstats.search.ranking import FEATURES, Feature
from pkgstats.web.site import Page

if TYPE_CHECKING:
    from starlette.requests import Request

    from pkgstats.web.site import Site

CREDITS: Final = (
    ("hypermultifeed", "signed feeds, and their replication between peers"),
    ("SQLite", "the view, and with FTS5 the search index"),
    ("Starlette, uvicorn, Jinja2, MarkupSafe", "these pages"),
    ("markdown-it-py, linkify-it-py, Pygments, nh3", "readmes as safe HTML"),
    ("RapidFuzz, zstandard, cbor2, HTTPX", "typos, records, and asking a registry"),
)
"""What it stands on, and what for."""


@dataclass(frozen=True, slots=True)
class About:
    """How it works.

    Attributes:
        weights: how packages are ranked: a sum of features from 0 to 1, times these.
        credits: libraries, and what they do here.
    """

    weights: tuple[Feature, ...]
    credits: tuple[tuple[str, str], ...]


async def about(_: Site, __: Request) -> Page:
    """What this is."""
    return Page(
        template="about.html",
        title="About",
        data=About(FEATURES, CREDITS),
        description="What Pkg Stats is, what leaves your machine and when, and how it ranks.",
        path="/about",
    )
