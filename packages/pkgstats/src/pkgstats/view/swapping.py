"""A view that is made anew beside the old one, and takes its place at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from pkgstats.view.store import Store

if TYPE_CHECKING:
    from pathlib import Path

_BESIDE: Final = ("-wal", "-shm")
"""Files of SQLite beside a file in use. They must not meet another file of the same name."""


def fresh_path(path: Path) -> Path:
    """Where a view is made that is to replace the one at ``path``."""
    return path.with_name(f"{path.name}.new")


def open_fresh(path: Path, group: bytes, old: Store) -> Store:
    """An empty view at ``path``, whatever an earlier attempt left there.

    What no feed tells goes over from the old one, see `Store.succeed`.
    """
    remove(path)
    store = Store.open(path, group)
    store.succeed(old)
    return store


def swap(path: Path, fresh: Path) -> None:
    """Put the view at ``fresh`` in the place of that at ``path``; no store has either open.

    Whoever reads the old one goes on to do so, and finds the new one at his next question.

    Raises:
        OSError: it could not be replaced: on Windows, while somebody reads it.
    """
    for suffix in _BESIDE:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    os.replace(fresh, path)


def remove(path: Path) -> None:
    """Delete the view at ``path``, if there is one."""
    for suffix in ("", *_BESIDE):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
