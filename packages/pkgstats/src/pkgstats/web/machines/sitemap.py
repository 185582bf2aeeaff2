"""``robots.txt``, and the sitemaps that it names: for search engines that may list the pages.

They may not unless the settings say so: these pages are mostly on somebody's own machine, and the
packages have a home elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from pkgstats.web import addresses
from pkgstats.web.pages.errors import not_found
from pkgstats.web.render import date
from pkgstats.web.respond import base_of, lasting

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from pkgstats.search.results import Ranked
    from pkgstats.web.site import Page, Site

FILE_PACKAGES: Final = 5_000
"""Packages in one file: a tenth of what the protocol allows, so that each is made in a moment."""

FILES_MAX: Final = 50_000
"""Files that the protocol allows."""

CLOSED: Final = "User-agent: *\nDisallow: /\n"

OPEN: Final = """\
User-agent: *
Disallow: /api/
Disallow: /compare
Disallow: /random
Disallow: /search
Disallow: /suggest

Sitemap: {base}/sitemap.xml
"""
"""What costs a search, or is another one each time, is not for machines that follow all links."""

NAMESPACE: Final = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'

HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'

XML: Final = "application/xml"


async def robots(site: Site, request: Request) -> Response:
    """What machines may follow."""
    text = OPEN.format(base=base_of(site, request)) if site.settings.indexed else CLOSED
    return lasting(request, text.encode(), "text/plain")


async def index(site: Site, request: Request) -> Page | Response:
    """The files that there are, the one with the most downloaded packages first."""
    if not site.settings.indexed:
        return not_found(request)
    files = min(FILES_MAX, -(-await site.search.last_rank() // FILE_PACKAGES))
    base = escape(base_of(site, request))
    rows = [
        f"<sitemap><loc>{base}/sitemap/{number}.xml</loc></sitemap>\n"
        for number in range(1, files + 1)
    ]
    text = f"{HEAD}<sitemapindex {NAMESPACE}>\n{''.join(rows)}</sitemapindex>\n"
    return lasting(request, text.encode(), XML)


async def part(site: Site, request: Request) -> Page | Response:
    """The packages of one file, in the order of their downloads."""
    number = _number(request.path_params["number"])
    if not site.settings.indexed or not number:
        return not_found(request)
    found = await site.search.ranked((number - 1) * FILE_PACKAGES, FILE_PACKAGES)
    if not found:
        return not_found(request)
    base = base_of(site, request)
    rows = "".join(_row(base, one) for one in found)
    text = f"{HEAD}<urlset {NAMESPACE}>\n{rows}</urlset>\n"
    return lasting(request, text.encode(), XML)


def _number(text: str) -> int:
    """Of a file; 0: there can be none of that name."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(FILES_MAX))):
        return 0
    return int(text) if int(text) <= FILES_MAX else 0


def _row(base: str, one: Ranked) -> str:
    changed = f"<lastmod>{date(one.modified)}</lastmod>" if one.modified else ""
    return f"<url><loc>{escape(base + addresses.package(one.name))}</loc>{changed}</url>\n"
