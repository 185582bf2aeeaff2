"""A package's readme on its page: from the node, rendered; the page does not wait long for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pkgstats.markup.links import Base
from pkgstats.markup.rendered import RenderError, as_plain
from pkgstats.readmes import ReadmeError

if TYPE_CHECKING:
    from pkgstats.markup.rendered import Rendered
    from pkgstats.view.facts import PackageFacts
    from pkgstats.web.site import Site

WAIT_S: Final = 1.0
"""How long a page waits for a readme that has to come from a peer."""

NO_DOOR: Final = "Readmes are fetched by the node, which is not running."
COMING: Final = "being fetched from a peer"


@dataclass(frozen=True, slots=True)
class Readme:
    """What stands where the readme stands.

    Attributes:
        rendered: the readme; None if it is not here.
        note: why it is not, or not as it should be; empty if it is.
        coming: it is being fetched; who looks again may see it.
        images: whether its images are shown.
        lasts: whether it will be the same the next time.
    """

    rendered: Rendered | None
    note: str = ""
    coming: bool = False
    images: bool = False
    lasts: bool = True


async def readme_of(site: Site, facts: PackageFacts, *, images: bool) -> Readme:
    """The readme, or why there is none to show; never raises.

    Args:
        site: has the door and the renderer.
        facts: of the package; says whether there is a readme.
        images: whether its images are shown, which asks other hosts.
    """
    if facts.snapshot is None or facts.snapshot.readme_hash is None:
        return Readme(None, "No readme was told.")
    if site.door is None:
        return Readme(None, NO_DOOR, lasts=False)
    try:
        text = await asyncio.wait_for(site.door.readme(facts.name), WAIT_S)
    except TimeoutError:
        return Readme(None, COMING, coming=True, lasts=False)
    except ReadmeError as error:
        return Readme(None, f"{str(error)[:1].upper()}{str(error)[1:]}.", lasts=False)
    return await _rendered(site, text, Base(facts.snapshot.repository), images=images)


async def _rendered(site: Site, text: str, base: Base, *, images: bool) -> Readme:
    if site.renderer is None:
        return Readme(as_plain(text))
    try:
        rendered = await site.renderer.render(text, base, images=images)
    except RenderError as error:
        return Readme(as_plain(text), f"Shown as it was written: {error}.", lasts=False)
    return Readme(rendered, images=images)
