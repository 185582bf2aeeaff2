"""How what several writers say becomes one view: a join under total orders.

Of everything that is said about one thing, the maximum counts. A maximum does not depend on the
order in which its candidates come, nor on how often one comes, so every peer that reads the same
blocks sees the same. The SQL views of `pkgstats.view.schema` order by the same columns.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from pkgstats.records.model import DayCounts, Snapshot, VersionEvent, WeekCounts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pkgstats.records.model import Known

DAY_MS: Final = 86_400_000

AHEAD_MS_MAX: Final = DAY_MS
"""How far a writer's clock may be ahead of ours before what it says has to wait."""

MODIFIED_AHEAD_MS_MAX: Final = 10 * 60_000
"""How far a package may have changed after it was seen: two clocks, not one."""

SETTLED_MS: Final = 3 * DAY_MS
"""A day's count that is asked for this long after the day's end is not filled in any more."""

DISPUTED_ABOVE: Final = 0.01
"""Two writers whose settled counts differ by a larger share of the larger one disagree."""

FIRST_DAY: Final = 14_610
"""2010-01-01: there was no npm before."""

TOMBS_TO_DROP: Final = 2
"""Writers who must say that a package is gone before it is no more shown; one hides it."""

_REVISION: Final = re.compile(r"(\d{1,15})(?:-|$)", re.ASCII)


class Order(NamedTuple):
    """What snapshots, and versions, of one writer are compared by; then comes the writer's key.

    Attributes:
        state_at: when the package was as told, ms.
        revision: the registry's number of that state; 0 where it is not told.
        observed_at: ms.
        digest: hash of the content, so that two different records never draw.
    """

    state_at: int
    revision: int
    observed_at: int
    digest: bytes


class ListingOrder(NamedTuple):
    """What rows of the index are compared by; then comes the writer's key."""

    observed_at: int
    downloads: int
    version: str
    summary: str


class CountOrder(NamedTuple):
    """What counts of one day or week are compared by; then comes the writer's key.

    A zero loses to any other count: the registry answers 0 for what it has not counted yet, and
    fills it in later. Only on a day on which the whole registry counted nothing, as far as is told
    (an outage), it stands like any other. Whether there was an outage is itself the maximum of what
    is told of the whole registry, so that both together depend on no order either.
    """

    is_counted: bool
    observed_at: int
    downloads: int


class Counted(NamedTuple):
    """What one writer (its key) says of a day or week."""

    downloads: int
    observed_at: int
    writer: bytes


def state_at(record: Snapshot) -> int:
    """When the package was as a snapshot has it, in ms.

    Answers with the latest manifest alone do not tell when the package was modified. They show
    its state at the time they were given; as the oldest of all they would never be believed.
    """
    return record.modified or record.observed_at


def revision(record: Known) -> int:
    """The number in a registry's revision (``12-0a1b``), 0 without one."""
    found = _REVISION.match((record.evidence or {}).get("rev", ""))
    return int(found[1]) if found else 0


def snapshot_order(record: Snapshot, digest: bytes) -> Order:
    """The order of a snapshot; ``digest`` is its content hash."""
    return Order(state_at(record), revision(record), record.observed_at, digest)


def version_order(record: VersionEvent, digest: bytes) -> Order:
    """The order of a version event; what is said of a version changes when it is deprecated."""
    return Order(record.observed_at, revision(record), record.observed_at, digest)


def count_order(downloads: int, observed_at: int, *, outage: bool = False) -> CountOrder:
    """The order of a count that was observed at ``observed_at`` (ms)."""
    return CountOrder(outage or downloads > 0, observed_at, downloads)


def is_early(record: Known, now: int) -> bool:
    """Whether a record comes from a future that ``now`` (ms) is too far from; it has to wait."""
    return record.observed_at > now + AHEAD_MS_MAX


def due(record: Known) -> int:
    """When (ms) a record that `is_early` no longer is."""
    return record.observed_at - AHEAD_MS_MAX


def refusal(record: Known) -> str | None:
    """Why a record cannot be true, whoever says it; None if it can."""
    latest = record.observed_at + MODIFIED_AHEAD_MS_MAX
    if isinstance(record, Snapshot) and record.modified > latest:
        return "modified after it was seen"
    if isinstance(record, VersionEvent) and record.published > latest:
        return "published after it was seen"
    if isinstance(record, DayCounts):
        return _days_refusal(record.first_day, record.first_day + record.span - 1, record)
    if isinstance(record, WeekCounts):
        return _days_refusal(record.last_day, record.last_day, record)
    return None


def _days_refusal(first: int, last: int, record: Known) -> str | None:
    if first < FIRST_DAY:
        return "counts from before the registry"
    if last * DAY_MS > record.observed_at:
        return "counts of days to come"
    return None


def joint_count(told: Iterable[Counted], *, outage: bool = False) -> Counted:
    """The count of a day or week that counts, of those that writers tell.

    Args:
        told: any number from each writer.
        outage: the whole registry counted nothing on that day.
    """

    def order(one: Counted) -> tuple[CountOrder, bytes]:
        return count_order(one.downloads, one.observed_at, outage=outage), one.writer

    return max(told, key=order)


def is_disputed(day: int, told: Iterable[Counted]) -> bool:
    """Whether writers disagree about the count of a day, or of a week that ends with it."""
    settled_at = (day + 1) * DAY_MS + SETTLED_MS
    settled = [one.downloads for one in told if one.observed_at >= settled_at]
    if len(settled) < 2:
        return False
    low, high = min(settled), max(settled)
    return high - low > high * DISPUTED_ABOVE


def tomb_state(tombs_at: Iterable[int], alive_at: int) -> str:
    """``here``, ``hidden`` or ``dropped``.

    Args:
        tombs_at: when each writer last saw that it is gone, ms.
        alive_at: `state_at` of the snapshot that counts, 0 without one: what was there later
            than a tombstone has come back.
    """
    standing = sum(at >= alive_at for at in tombs_at)
    if standing >= TOMBS_TO_DROP:
        return "dropped"
    return "hidden" if standing else "here"
