"""How much more packages are used than before, by the days that the view has of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pkgstats.records.names import WHOLE
from pkgstats.stats import MONTH, growth, outages_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pkgstats.stats import Growth
    from pkgstats.view.reading import View

LOOKED_BACK: Final = 3 * MONTH
"""Days back from the last one that are read: two periods, and room for what is counted late."""

COMPARED: Final = 100
"""Packages, the most used ones, by which it is told on which days nothing was counted at all."""


def growth_of(
    view: View, names: Sequence[str], today: int, outages: Collection[int] | None = None
) -> dict[str, Growth]:
    """The last 30 days that were told of these packages, against the 30 before.

    Args:
        view: where the days are.
        names: of the packages; those of which no days were told are left out.
        today: days since 1970, UTC.
        outages: as `outages_in` tells them; None: they are looked for.
    """
    told = _told(view, names, today - LOOKED_BACK, today + 1)
    if not told:
        return {}
    last = max(max(days) for days in told.values())
    if outages is None:
        outages = outages_in(view, today)
    return {name: growth(days, MONTH, last + 1, outages) for name, days in told.items()}


def ratios(view: View, names: Sequence[str], today: int) -> dict[str, float]:
    """As `growth_of`, the ratios alone, where there is one; 1.1: a tenth more."""
    found = growth_of(view, names, today)
    return {name: one.ratio for name, one in found.items() if one.ratio is not None}


def outages_in(view: View, today: int, back: int = LOOKED_BACK) -> set[int]:
    """Days on which a registry counted nothing: by its own count, else by what is used most.

    Args:
        view: where the days are.
        today: days since 1970, UTC.
        back: how many days before that are looked at.
    """
    names = [row.name for row in view.popular(COMPARED)]
    told = _told(view, [WHOLE, *names], today - back, today + 1)
    whole = told.pop(WHOLE, None)
    return outages_of(told.values(), whole)


def _told(view: View, names: Sequence[str], start: int, stop: int) -> dict[str, dict[int, int]]:
    found = view.days_of(names, start, stop)
    return {name: {one.day: one.count for one in days} for name, days in found.items() if days}
