from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pkgstats.markup.rendered import Rendered, RenderError
from pkgstats.records.model import Snapshot
from pkgstats.view.facts import PackageFacts
from pkgstats.web.pages import readme
from pkgstats.web.pages.readme import readme_of

from .browsing import site_of
from .doors import StubDoor
from .facts import SEEN

if TYPE_CHECKING:
    from pathlib import Path

    from pkgstats.markup.links import Base

TOLD = Snapshot(
    observed_at=SEEN, name="a", version="1.0.0", readme_hash=bytes(32), repository="me/a"
)


def facts(snapshot: Snapshot | None = TOLD) -> PackageFacts:
    return PackageFacts("a", "1.0.0", 1, "", SEEN, "here", snapshot, None, None)


class StubRenderer:
    async def render(self, text: str, base: Base, *, images: bool) -> Rendered:
        if text == "hard":
            raise RenderError("it takes too long")
        return Rendered(f"<p>{base.repository} {images}</p>", images=1)


async def test_it_is_rendered_for_its_repository(rich: Path) -> None:
    async with site_of(rich, door=StubDoor(texts={"a": "soft"})) as site:
        site.renderer = StubRenderer()  # type: ignore[assignment]
        found = await readme_of(site, facts(), images=True)
    assert found.rendered == Rendered("<p>me/a True</p>", images=1)
    assert found.images
    assert found.lasts


async def test_what_cannot_be_rendered_is_shown_as_it_was_written(rich: Path) -> None:
    async with site_of(rich, door=StubDoor(texts={"a": "hard"})) as site:
        site.renderer = StubRenderer()  # type: ignore[assignment]
        found = await readme_of(site, facts(), images=False)
    assert found.rendered is not None
    assert ">hard</pre>" in found.rendered.html
    assert "it takes too long" in found.note
    assert not found.lasts


async def test_the_page_does_not_wait_for_a_peer(
    rich: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readme, "WAIT_S", 0.0)
    async with site_of(rich, door=StubDoor(texts=None)) as site:
        found = await readme_of(site, facts(), images=False)
    assert found.coming
    assert found.rendered is None
    assert not found.lasts


@pytest.mark.parametrize(
    ("door", "snapshot", "words"),
    [
        (None, TOLD, "not running"),
        (StubDoor(texts={}), TOLD, "Nobody who has it is connected."),
        (StubDoor(texts={}), None, "No readme was told."),
        (StubDoor(), Snapshot(observed_at=SEEN, name="a", version="1"), "No readme was told."),
    ],
)
async def test_it_says_why_there_is_none(
    rich: Path, door: StubDoor | None, snapshot: Snapshot | None, words: str
) -> None:
    async with site_of(rich, door=door) as site:
        found = await readme_of(site, facts(snapshot), images=False)
    assert found.rendered is None
    assert words in found.note
