"""Names of packages, as npm has them (npm's validate-npm-package-name)."""

from __future__ import annotations

import re
from typing import Final

NAME_BYTES_MAX: Final = 214
"""Longest name that npm takes, scope included."""

WHOLE: Final = ""
"""What the downloads of a whole registry are told under; no package has that name."""

_PART: Final = r"[A-Za-z0-9\-._~!'()*]+"
_NAME: Final = re.compile(rf"(?:@{_PART}/)?{_PART}")


def is_package_name(name: str) -> bool:
    """Whether a package of that name can exist; old ones may have capital letters."""
    if not 0 < len(name) <= NAME_BYTES_MAX or not _NAME.fullmatch(name):
        return False
    return name[0] not in "._" and bare_name(name) not in {".", ".."}


def scope_of(name: str) -> str | None:
    """``types`` for ``@types/node``; None without a scope."""
    return name[1 : name.index("/")] if name.startswith("@") else None


def bare_name(name: str) -> str:
    """``node`` for ``@types/node``."""
    return name.rpartition("/")[2]
