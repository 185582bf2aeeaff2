"""Versions as major versions."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from pkgstats.charts.model import Series
from pkgstats.charts.resampling import monday

if TYPE_CHECKING:
    from collections.abc import Iterable

MAJOR: Final = re.compile(r"v?(0|[1-9][0-9]{0,8})(?:\.|$)", re.ASCII)
"""Of a version; what has none is of the band "other"."""

OTHER: Final = "other"


def by_major(weeks: Iterable[tuple[str, int, int]]) -> list[Series]:
    """Downloads of versions as those of their major versions, the newest first.

    Args:
        weeks: version, last of seven days, and downloads in these. Of weeks that end between a
            Monday and a Sunday only the last counts: they are told of by several writers, and
            overlap.
    """
    sums: defaultdict[int | None, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    told = list(weeks)
    kept = set({monday(day): day for day in sorted({day for _, day, _ in told})}.values())
    for version, last_day, count in told:
        if last_day in kept:
            found = MAJOR.match(version)
            sums[int(found[1]) if found else None][last_day] += count
    order = sorted(sums, key=lambda major: -1 if major is None else major, reverse=True)
    return [
        Series(OTHER if major is None else f"{major}.x", sorted(sums[major].items()))
        for major in order
    ]
