"""What the view answers: facts about packages, and who says them.

Times are ms since 1970, days are days since 1970-01-01, both UTC; writers are the keys of their
``meta`` feeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pkgstats.records.model import Heartbeat, Snapshot, WriterCard


class ListingRow(NamedTuple):
    """One package as the list shows it.

    Attributes:
        name, version: of the package; the version may be unknown: empty.
        downloads: in a month; 0 where nobody has counted them.
        summary: one line.
        observed_at: when the latest of this was seen.
        state: ``here``, or ``hidden``: one writer says it is gone.
    """

    name: str
    version: str
    downloads: int
    summary: str
    observed_at: int
    state: str


class Details(NamedTuple):
    """What a package's latest manifest has for search.

    Attributes:
        modified: when the package was as told, ms.
        rest: as in `Snapshot`.
    """

    keywords: tuple[str, ...]
    maintainers: tuple[str, ...]
    licence: str
    deprecated: str
    types: str
    module: str
    dependencies: tuple[str, ...]
    modified: int
    created: int | None


class ReadmePlace(NamedTuple):
    """Where one part of a readme lies: in the ``number``-th record of a block of a core.

    Attributes:
        part, parts: which part of how many, from 0.
    """

    part: int
    parts: int
    core: bytes
    block: int
    number: int


@dataclass(frozen=True, slots=True)
class PackageFacts:
    """A package.

    Attributes:
        name, version, summary: as the list shows it.
        downloads: in a month; None where nobody has counted them.
        observed_at: when the latest of this was seen.
        state: ``here``; ``hidden``: one writer says it is gone; ``dropped``: several do.
        snapshot: its latest manifest, if somebody has told it.
        listed_by, told_by: whose words count for the list and the manifest.
    """

    name: str
    version: str
    downloads: int | None
    summary: str
    observed_at: int
    state: str
    snapshot: Snapshot | None
    listed_by: bytes | None
    told_by: bytes | None


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """A version of a package, as the writer tells it whose word counts."""

    version: str
    published: int
    integrity: str
    unpacked: int | None
    deprecated: str
    publisher: str
    observed_at: int
    writer: bytes
    state: str


@dataclass(frozen=True, slots=True)
class WeekFacts:
    """Downloads of one version in the seven days up to ``last_day``."""

    version: str
    last_day: int
    count: int
    observed_at: int
    writer: bytes
    disputed: bool


@dataclass(frozen=True, slots=True)
class DayFacts:
    """Downloads of a package in one day.

    Attributes:
        disputed: writers who asked late enough to know have told different counts.
    """

    day: int
    count: int
    observed_at: int
    writer: bytes
    disputed: bool


@dataclass(frozen=True, slots=True)
class WriterFacts:
    """A writer that is accepted, or was.

    Attributes:
        key: of its ``meta`` feed.
        role: as the list has it; empty if it is not accepted any more.
        card, heartbeat: its latest.
        cores: for each kind of its accepted cores, how much of it was read.
        checked, wrong: of its records that were looked at again.
        aside: too many of them were wrong, so what it says of packages does not count for now.
    """

    key: bytes
    role: str
    card: WriterCard | None
    heartbeat: Heartbeat | None
    cores: dict[str, CoreFacts]
    checked: int
    wrong: int
    aside: bool


@dataclass(frozen=True, slots=True)
class CoreFacts:
    """How much of a core was read.

    Attributes:
        key: of the core.
        until: how many blocks count; None: all.
        position: as `hypermultifeed.EntryBatch` has it.
        records: how many it held.
        refused: for each reason how many of them (or blocks) do not count.
    """

    key: bytes
    until: int | None
    position: str
    records: int
    refused: dict[str, int]


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the view holds; rows of all writers.

    Attributes:
        packages: that are shown.
        writers: who have told something of packages.
        deferred, waiting: blocks with records from the future, or counts without names.
    """

    packages: int
    listing: int
    snapshots: int
    versions: int
    weeks: int
    days: int
    tombs: int
    writers: int
    records: int
    refused: int
    deferred: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Said:
    """One value that somebody has said.

    Attributes:
        about: ``listing``, ``manifest``, ``version``, ``week``, ``day`` or ``gone``.
        key: which version, week or day; empty for the package.
        value: what was said, for people to read.
        writer: who; ``observed_at``, ``source``: when and where it was seen.
        core, block, number: where it stands.
        verdict: ``wins``; ``loses`` against another writer's word; ``disputed``: it wins, and
            others disagree; ``replaced`` by a word of the same writer; ``taken back``;
            ``waits``: it is from the future; ``refused``.
    """

    about: str
    key: str
    value: str
    writer: bytes
    observed_at: int
    source: str
    core: bytes
    block: int
    number: int
    verdict: str
