"""Readmes that people have written, out of the packages that the interop tests install."""

from __future__ import annotations

from pathlib import Path

import pytest

from pkgstats.markup.links import Base
from pkgstats.markup.render import render
from pkgstats.markup.renderer import Renderer
from pkgstats.markup.sanitise import gate

from .allowed import problems

FOLDER = Path(__file__).resolve().parents[3] / "interop" / "node_modules"
READMES = sorted(path for path in FOLDER.rglob("[Rr][Ee][Aa][Dd][Mm][Ee]*") if path.is_file())
LEAST = 75

pytestmark = pytest.mark.skipif(
    len(READMES) < LEAST, reason="needs interop/node_modules: run `npm ci` in interop/"
)


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_a_real_readme_becomes_what_is_allowed(path: Path) -> None:
    text = path.read_text(encoding="utf-8", errors="replace")
    for images in (False, True):
        found = render(text, base=Base("owner/name"), images=images)
        assert not problems(found.html)
        assert gate(found.html) == found.html
        assert not found.cut


async def test_each_is_rendered_within_the_time_that_it_has() -> None:
    renderer = Renderer()
    try:
        for path in READMES:
            text = path.read_text(encoding="utf-8", errors="replace")
            await renderer.render(text, Base("owner/name"), images=False)
    finally:
        await renderer.close()
