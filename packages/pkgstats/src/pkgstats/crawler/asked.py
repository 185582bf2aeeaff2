"""What a crawl is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from pkgstats.crawler import plan
from pkgstats.crawler.plan import FULL, LIGHT, Work
from pkgstats.records.names import is_package_name
from pkgstats.sources.errors import AnswerError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pkgstats.crawler.notes import Notes
    from pkgstats.view.reading import View

MANY_AGE_H: Final = 20.0
"""Of many packages, those that were looked at so lately are left out: so a run goes on."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to know of; see ``pkgstats crawl --help``.

    Attributes:
        names: of packages, or ``@USER``: all packages of a user and a scope.
        top: so many of the most downloaded packages.
        follow: then go on for ever.
        recheck: look at some of other writers' records again.
        full: versions, readme and weeks too; None: of what is named.
        max_age: hours; what was looked at so lately is left out; None: see `age_ms`.
    """

    names: tuple[str, ...] = ()
    top: int | None = None
    follow: bool = False
    recheck: bool = False
    full: bool | None = None
    max_age: float | None = None

    def check(self) -> None:
        """Look at the names before anything is opened.

        Raises:
            AnswerError: there can be no package, or user, of that name.
        """
        for one in self.names:
            if not is_package_name(f"{one}/x" if is_user(one) else one):
                raise AnswerError(f"{one!a} is no name of a package, nor @USER")

    @property
    def packages(self) -> list[str]:
        """Packages that are named."""
        return [one for one in self.names if not is_user(one)]

    @property
    def users(self) -> list[str]:
        """Users, or scopes, that are named."""
        return [one[1:] for one in self.names if is_user(one)]

    @property
    def wanted(self) -> frozenset[str]:
        """What is wanted of each package."""
        full = self.full if self.full is not None else bool(self.names)
        return FULL if full else LIGHT

    @property
    def age_ms(self) -> int:
        """What was looked at so lately is left out."""
        hours = self.max_age
        if hours is None:
            hours = 0.0 if self.packages else MANY_AGE_H
        return int(hours * plan.HOUR_MS)

    def work(self, names: Iterable[str], memory: Notes, now: int) -> Work:
        """The names as work, less what was looked at lately."""
        seen = memory.checked("packument", *(() if self.wanted == FULL else ("latest",)))
        left = plan.unchecked(dict.fromkeys(names), seen, now, self.age_ms)
        return Work(tuple(left), self.wanted)


def is_user(name: str) -> bool:
    """Whether this is ``@USER``, and no package in a scope."""
    return name.startswith("@") and "/" not in name


def top_names(view: View, top: int | None) -> list[str]:
    """The most downloaded packages of the view."""
    return [row.name for row in islice(view.listing_rows(), top or 0)]


def known_of(view: View, user: str) -> list[str]:
    """Packages of a user or a scope, as far as the view knows."""
    return [row.name for row in (*view.by_maintainer(user), *view.in_scope(user))]
