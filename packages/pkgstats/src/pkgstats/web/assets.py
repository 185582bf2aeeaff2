"""Files that pages load: each has its hash in its address, so browsers may keep it for ever."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import Final, NamedTuple

TYPES: Final = {
    "style.css": "text/css; charset=utf-8",
    "script.js": "text/javascript; charset=utf-8",
}


class Asset(NamedTuple):
    """A file's address, type and bytes."""

    path: str
    type: str
    body: bytes


@cache
def assets() -> dict[str, Asset]:
    """All files by name."""
    found = {}
    for name, media_type in TYPES.items():
        body = resources.files("pkgstats.web").joinpath("static", name).read_bytes()
        stem, _, ending = name.rpartition(".")
        digest = hashlib.blake2b(body, digest_size=6).hexdigest()
        found[name] = Asset(f"/static/{stem}.{digest}.{ending}", media_type, body)
    return found


def path_of(name: str) -> str:
    """Where a file is."""
    return assets()[name].path
