from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pkgstats.posting.poster import RefusedError
from pkgstats.posting.to_file import FilePoster

if TYPE_CHECKING:
    from pathlib import Path


async def test_posts_are_appended(tmp_path: Path) -> None:
    file = tmp_path / "posts.txt"
    file.write_text("before\n")
    await FilePoster(file).send("ä", "k")
    await FilePoster(file).send("b", "l")
    assert file.read_bytes() == "before\nä\n\nb\n\n".encode()
    assert FilePoster(file).place == str(file)


async def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=tmp_path.name):
        await FilePoster(tmp_path).send("a", "k")
