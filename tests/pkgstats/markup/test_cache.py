"""Rendered readmes in a folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pkgstats.markup import cache as module
from pkgstats.markup.cache import Cache, key_of
from pkgstats.markup.links import Base
from pkgstats.markup.rendered import Heading, Rendered

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

RENDERED = Rendered("<p>a</p>", 1, headings=(Heading(2, "r-a", "A"),))


def test_what_is_put_is_got(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "rendered")
    assert cache.get("a") is None
    cache.put("a", RENDERED)
    assert cache.get("a") == RENDERED
    assert Cache(tmp_path / "rendered").get("a") == RENDERED
    assert [path.name for path in (tmp_path / "rendered").iterdir()] == ["a"]


def test_keys_tell_apart_whatever_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    base = Base("a/b", "c")
    keys = {
        key_of("x", base, images=True),
        key_of("x", base, images=False),
        key_of("y", base, images=False),
        key_of("x", Base("a/b"), images=False),
        key_of("x", Base("a", "b/c"), images=False),
    }
    assert key_of("x", base, images=True) in keys
    monkeypatch.setattr(module, "PIPELINE", 0)
    keys.add(key_of("x", base, images=True))
    assert len(keys) == 6


def test_a_damaged_file_is_none(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("a", RENDERED)
    whole = (tmp_path / "a").read_bytes()
    for damaged in (b"", whole[:-1], whole[:19], b"\0" + whole[1:], whole + b" "):
        (tmp_path / "a").write_bytes(damaged)
        assert cache.get("a") is None
    cache.put("a", RENDERED)
    assert cache.get("a") == RENDERED


def test_the_oldest_make_room(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10_000)
    for number in range(30):
        cache.put(f"{number}", Rendered("x" * 900))
        os.utime(tmp_path / f"{number}", (number, number))
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 10_000
    assert cache.get("29") is not None
    assert cache.get("20") is None


def test_what_is_there_already_counts(tmp_path: Path) -> None:
    (tmp_path / "left-by-a-crash").write_bytes(b"x" * 9_500)
    os.utime(tmp_path / "left-by-a-crash", (1, 1))
    Cache(tmp_path, 10_000).put("a", Rendered("x" * 900))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_cannot_be_used_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = Cache(tmp_path / "file")
    cache.put("a", RENDERED)
    assert cache.get("a") is None


def test_nothing_is_left_of_what_could_not_be_put(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Cache(tmp_path).put("a", RENDERED)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
