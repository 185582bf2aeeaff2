"""Each module has a file of tests of its own, and nothing is left half-said in the code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from .repository import APPLICATION, LIBRARY, ROOT, module_name, modules

if TYPE_CHECKING:
    from pathlib import Path

DECLARATIONS = {
    "hypermultifeed.encoding.node",
    "hypermultifeed.feed.files",
    "pkgstats.posting.poster",
}
"""Modules that only declare a shape; there is nothing in them that could be wrong."""

SOURCES = [file for file in modules(LIBRARY) + modules(APPLICATION) if file.stem[0] != "_"]
TESTS = {file.name for file in (ROOT / "tests").rglob("test_*.py")}


@pytest.mark.parametrize("file", SOURCES, ids=module_name)
def test_every_module_has_its_test_file(file: Path) -> None:
    if module_name(file) in DECLARATIONS:
        return
    accepted = {f"test_{file.stem}.py", f"test_{file.parent.name}_{file.stem}.py"}
    if file.parent.name in {"cli", "storage"}:  # parts of one command, kinds of one thing
        accepted.add(f"test_{file.parent.name}.py")
    assert accepted & TESTS


@pytest.mark.parametrize("file", SOURCES, ids=module_name)
def test_nothing_is_left_open(file: Path) -> None:
    words = r"\b(T[O]DO|F[I]XME|X[X]X|NotImplemented[E]rror)\b"
    assert not re.search(words, file.read_text(encoding="utf-8"))
