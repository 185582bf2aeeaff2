"""Files that pages load: each has its hash in its address, so browsers may keep it for ever."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib import resources
from typing import Final, NamedTuple

TYPES: Final = {
    "style.css": "text/css; charset=utf-8",
    "script.js": "text/javascript; charset=utf-8",
}

_SPACES: Final = re.compile("(?<=[{};:,]) | (?=[{}])")


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
        text = resources.files("pkgstats.web").joinpath("static", name).read_text("utf-8")
        stem, _, ending = name.rpartition(".")
        body = squeezed(text, ending).encode()
        digest = hashlib.blake2b(body, digest_size=6).hexdigest()
        found[name] = Asset(f"/static/{stem}.{digest}.{ending}", media_type, body)
    return found


def squeezed(text: str, kind: str) -> str:
    """A file of ours without what only people need.

    Comments, which have lines of their own, and white space; of ``css`` also the spaces beside
    signs, so no text in it may have such.
    """
    lines = (line.strip() for line in text.splitlines())
    kept = [line for line in lines if line and not line.startswith(("//", "/*"))]
    return _SPACES.sub("", "".join(kept)) if kind == "css" else "\n".join(kept)


def path_of(name: str) -> str:
    """Where a file is."""
    return assets()[name].path
