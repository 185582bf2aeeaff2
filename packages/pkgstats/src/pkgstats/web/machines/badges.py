"""``/badge/KIND/NAME.svg``: one thing of a package as a picture for readmes.

For a package that nobody has told of it says ``unknown``, with status 200: most sites that embed
pictures show a broken one for any other status, and a name that is told of tomorrow is no error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pkgstats.records.names import is_package_name
from pkgstats.web.bounds import BadRequestError
from pkgstats.web.machines.drawing import TEXT_MAX, badge
from pkgstats.web.pages.errors import not_found
from pkgstats.web.render import compact
from pkgstats.web.respond import lasting

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from pkgstats.view.facts import PackageFacts
    from pkgstats.web.site import Page, Site

UNKNOWN: Final = "unknown"

GREY: Final = "#5f6670"
BLUE: Final = "#0a6aa6"
GREEN: Final = "#0a7a4c"
RED: Final = "#b3261e"

FRESH_S: Final = 3600
"""How long others may show a badge without asking again."""


async def draw(site: Site, request: Request) -> Page | Response:
    """A badge; ``label`` says what stands to its left."""
    kind, name = request.path_params["kind"], request.path_params["name"]
    if kind not in VALUES or not is_package_name(name):
        return not_found(request)
    label = request.query_params.get("label", LABELS[kind])
    if len(label) > TEXT_MAX:
        raise BadRequestError(f"label has at most {TEXT_MAX} characters")
    found = await site.ask(lambda view: view.package(name))
    value, colour = VALUES[kind](found) if found else (UNKNOWN, GREY)
    headers = {"cache-control": f"max-age={FRESH_S}", "x-robots-tag": "noindex"}
    if site.settings.public:
        headers["cross-origin-resource-policy"] = "cross-origin"
    return lasting(request, badge(label, value, colour).encode(), "image/svg+xml", headers)


def _version(found: PackageFacts) -> tuple[str, str]:
    deprecated = found.snapshot is not None and bool(found.snapshot.deprecated)
    if not found.version:
        return UNKNOWN, GREY
    if deprecated:
        return f"v{found.version} deprecated", RED
    return f"v{found.version}", BLUE


def _downloads(found: PackageFacts) -> tuple[str, str]:
    if found.downloads is None:
        return UNKNOWN, GREY
    return f"{compact(found.downloads)}/month", GREEN


def _licence(found: PackageFacts) -> tuple[str, str]:
    told = found.snapshot.licence if found.snapshot else ""
    return (told, BLUE) if told else (UNKNOWN, GREY)


VALUES: Final[dict[str, Callable[[PackageFacts], tuple[str, str]]]] = {
    "version": _version,
    "downloads": _downloads,
    "license": _licence,
}

LABELS: Final = {"version": "npm", "downloads": "downloads", "license": "license"}
"""What stands to the left of each kind unless asked otherwise."""
