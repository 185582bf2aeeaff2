"""Whether a registry is the one that is meant, before what it does not have is taken for gone.

A wrong address may answer 404 to everything; each of these answers would hide a package from all
who read. So a 404 is held back until the registry has answered for another package in the same run,
or, where it was asked for none, for one of the most used ones, which are known to be there.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from pkgstats.sources.errors import MissingError, WrongRegistryError

if TYPE_CHECKING:
    from pkgstats.crawler.sources import Sources
    from pkgstats.view.reading import View

IN_A_ROW_MAX: Final = 20
"""Packages in a row that are not there, after which the registry has to show itself anew."""

CONTROLS: Final = 3
"""Packages that a registry must all lack to be a wrong one: one of them may be gone indeed."""

WRONG: Final = (
    "the registry does not know %s: it answers, but is not the one that told of them. Check"
    " --registry, PKGSTATS_REGISTRY and .npmrc; no package is told to be gone"
)


class Missing(NamedTuple):
    """A package that was answered 404 or 410 for, and when (ms)."""

    name: str
    at: int
    status: int


class Doubts:
    """Holds what is missing until it can be believed. One run at a time."""

    def __init__(self, sources: Sources, view: View) -> None:
        """Take whom to ask, and where the packages stand that are known."""
        self._sources = sources
        self._view = view
        self.begin()

    def begin(self) -> None:
        """Begin a run: what was shown in the one before says nothing of this one."""
        self._held: list[Missing] = []
        self._in_a_row = 0
        self._is_shown = False

    def answered(self) -> list[Missing]:
        """The registry knew a package: what is missing there can be believed. Returns that."""
        self._is_shown, self._in_a_row = True, 0
        return self._take()

    def missing(self, one: Missing) -> bool:
        """Hold this; returns whether it is time to `ask`."""
        self._held.append(one)
        self._in_a_row += 1
        if self._in_a_row >= IN_A_ROW_MAX:
            self._is_shown = False
        return self._is_shown or self._in_a_row >= IN_A_ROW_MAX

    async def ask(self) -> tuple[list[Missing], bool]:
        """What was held, and whether it is to be believed; asks for other packages if need be.

        It is not where no other package is known to ask for.

        Raises:
            WrongRegistryError: the registry does not know those either.
            SourceError: there is no good answer.
        """
        if self._is_shown or not self._held:
            return self._take(), True
        controls = self._controls()
        for name in controls:
            try:
                await self._sources.registry.latest(name)
            except MissingError:
                continue
            return self.answered(), True
        if controls or self._in_a_row >= IN_A_ROW_MAX:
            names = controls or [one.name for one in self._held[:CONTROLS]]
            raise WrongRegistryError(WRONG % ", ".join(names))
        return self._take(), False

    def _take(self) -> list[Missing]:
        held, self._held = self._held, []
        return held

    def _controls(self) -> list[str]:
        """Packages that are there, as far as is known; none that is not asked about at all."""
        held = {one.name for one in self._held}
        rows = (
            row.name
            for row in islice(self._view.listing_rows(), 2 * IN_A_ROW_MAX)
            if row.state == "here" and row.name not in held
        )
        return self._sources.addresses.shared(rows)[:CONTROLS]
