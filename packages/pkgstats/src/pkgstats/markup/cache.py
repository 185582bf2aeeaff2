"""Rendered readmes in a folder, each under the hash of all that it was made from."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from pkgstats.markup.rendered import HTML_BYTES_MAX, Rendered, pack, unpack

if TYPE_CHECKING:
    from pathlib import Path

    from pkgstats.markup.links import Base

PIPELINE: Final = 1
"""Counts the changes of this package that change what it renders."""

CACHE_BYTES_MAX: Final = 64 << 20
"""Of a folder of rendered readmes; the oldest go first."""

FILE_BYTES_MAX: Final = 4 * HTML_BYTES_MAX
"""Of one of them; larger files are none of ours."""

LIBRARIES: Final = ("markdown-it-py", "nh3", "pygments")
"""What renders. A newer one may well be safer than the one that made what is kept."""

DIGEST_BYTES: Final = 20


def key_of(text: str, base: Base, *, images: bool) -> str:
    """The name that a rendered readme is kept under."""
    parts = [PIPELINE, _versions(), base.repository, base.directory, images, text]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=DIGEST_BYTES).hexdigest()


@lru_cache(maxsize=1)
def _versions() -> list[str]:
    return [version(name) for name in LIBRARIES]


class Cache:
    """A folder of rendered readmes. Several processes may use one; each bounds what it adds to.

    Nothing in it matters: what cannot be read or written is made anew the next time.
    """

    def __init__(self, folder: Path, bytes_max: int = CACHE_BYTES_MAX) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._used: int | None = None

    def get(self, key: str) -> Rendered | None:
        """What is kept under a key; None if there is nothing, or it is damaged."""
        try:
            with (self._folder / key).open("rb") as file:
                data = file.read(FILE_BYTES_MAX + 1)
            return unpack(data[DIGEST_BYTES:]) if data == _sealed(data[DIGEST_BYTES:]) else None
        except (OSError, ValueError):
            return None

    def put(self, key: str, rendered: Rendered) -> None:
        """Keep one, and make room for it."""
        data = _sealed(pack(rendered))
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(key, data)
            self._used = (self._measured() if self._used is None else self._used) + len(data)
            if self._used > self._bytes_max:
                self._used = self._make_room()

    def _write(self, key: str, data: bytes) -> None:
        """All of it or nothing: a reader never sees a part."""
        handle, partial = tempfile.mkstemp(dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(partial, self._folder / key)
        except OSError:
            os.unlink(partial)
            raise

    def _files(self) -> list[tuple[int, int, Path]]:
        """Time, size and path of each, the oldest first; also what a crash left behind."""
        found = []
        for path in self._folder.iterdir():
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
        return sorted(found)

    def _measured(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _make_room(self) -> int:
        """Delete the oldest until a tenth is free, so that this is seldom needed; what is left."""
        files = self._files()
        used = sum(size for _, size, _ in files)
        for _, size, path in files:
            if used <= self._bytes_max * 9 // 10:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                used -= size
        return used


def _sealed(body: bytes) -> bytes:
    """With a hash before it, which a torn or changed file does not match."""
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest() + body
