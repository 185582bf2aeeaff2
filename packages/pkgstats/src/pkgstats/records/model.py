# ruff: noqa: RUF009 - `key` and `needed` make fields
"""The records: what each kind says, with the CBOR key and the bounds of each field.

Times are milliseconds since 1970, days are days since 1970-01-01, both UTC; hashes are
BLAKE2b-256. A field that is None, empty or False is not written. Keys that are not known here
are kept in ``extra``, so that a later version's records pass through unharmed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from pkgstats.records.kinds import (
    DAY,
    KEY,
    MILLISECONDS,
    Choice,
    Flag,
    Kind,
    ListOf,
    MapOf,
    Name,
    Number,
    Raw,
    RecordError,
    Text,
)

SCHEMA: Final = 1

TYPE_KEY: Final = 0
SCHEMA_KEY: Final = 1

INDEX_ROWS_MAX: Final = 4096
"""Rows of one record of index rows."""

NAMES_MAX: Final = 8192
"""Names that one names block gives a number to."""

COUNTS_MAX: Final = 65_536
"""Day counts (names times days) of one record; a count takes a byte or more."""

README_BYTES_MAX: Final = 512 << 10
"""Longest readme that is kept."""

README_PART_BYTES: Final = 48 << 10
"""Bytes of a readme in one record; a long one comes in parts."""

ROLES: Final = ("crawler", "watcher", "notes")
CORES: Final = ("meta", "index", "detail", "days", "readme")

VERSION: Final = Text(256)
SUMMARY: Final = Text(1024)
WORD: Final = Text(256)
URL: Final = Text(2048)
REQUIREMENTS: Final = MapOf(Text(214), Text(1024), 4096)


def key(number: int, kind: Kind, default: Any = None) -> Any:
    """A field that CBOR knows by ``number``."""
    return field(default=default, metadata={"key": number, "kind": kind})


def needed(number: int, kind: Kind) -> Any:
    """A field without which a record makes no sense."""
    return field(metadata={"key": number, "kind": kind})


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What all records say.

    Attributes:
        observed_at: when the writer saw it.
        source: where: ``registry``, ``downloads``, ``tarball``, ``list``, ``user``, …
        evidence: of the answer it was seen in: ``etag``, ``rev``, ``seq``, ``status``.
        extra: what a later version says.
    """

    type: ClassVar[int]
    letter: ClassVar[str]

    observed_at: int = needed(2, MILLISECONDS)
    source: str = key(3, Text(64), "")
    evidence: dict[str, str] | None = key(4, MapOf(Text(16), Text(256), 8))
    extra: dict[int, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(Record):
    """P: the latest version of a package, as its manifest has it.

    Attributes:
        readme_hash: what its readme is called by.
        readme_block: the block of the writer's ``readme`` feed in which that begins.
    """

    type: ClassVar[int] = 1
    letter: ClassVar[str] = "P"

    name: str = needed(5, Name())
    version: str = needed(6, VERSION)
    modified: int = key(7, MILLISECONDS, 0)
    description: str = key(8, SUMMARY, "")
    keywords: tuple[str, ...] = key(9, ListOf(WORD, 256), ())
    licence: str = key(10, WORD, "")
    repository: str = key(11, URL, "")
    homepage: str = key(12, URL, "")
    maintainers: tuple[str, ...] = key(13, ListOf(WORD, 512), ())
    dependencies: dict[str, str] | None = key(14, REQUIREMENTS)
    peer_dependencies: dict[str, str] | None = key(15, REQUIREMENTS)
    engines: dict[str, str] | None = key(16, MapOf(Text(64), Text(256), 32))
    types: str = key(17, Choice(("none", "own", "@types")), "none")
    module: str = key(18, Choice(("esm", "cjs", "dual")), "cjs")
    binaries: tuple[str, ...] = key(19, ListOf(Text(214), 512), ())
    install_script: bool = key(20, Flag(), default=False)
    unpacked: int | None = key(21, Number())
    files: int | None = key(22, Number())
    integrity: str = key(23, Text(512), "")
    provenance: str = key(24, Text(256), "")
    deprecated: str = key(25, SUMMARY, "")
    dist_tags: dict[str, str] | None = key(26, MapOf(WORD, VERSION, 256))
    readme_hash: bytes | None = key(27, KEY)
    created: int | None = key(28, MILLISECONDS)
    readme_block: int | None = key(57, Number())


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionEvent(Record):
    """V: a version that is new, or has changed."""

    type: ClassVar[int] = 2
    letter: ClassVar[str] = "V"

    name: str = needed(5, Name())
    version: str = needed(6, VERSION)
    published: int = key(7, MILLISECONDS, 0)
    integrity: str = key(23, Text(512), "")
    unpacked: int | None = key(21, Number())
    deprecated: str = key(25, SUMMARY, "")
    publisher: str = key(29, WORD, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCounts(Record):
    """D: downloads a day of many packages, or of one.

    Attributes:
        first_day, span: the days ``[first_day, first_day + span)``.
        names_ref: hash of the names block that lists the packages; or
        name: the one package; empty for the whole registry (`names.WHOLE`).
        counts: for each package all its days, as `records.counts` packs them.
    """

    type: ClassVar[int] = 3
    letter: ClassVar[str] = "D"

    first_day: int = needed(30, DAY)
    span: int = needed(31, Number(3660, 1))
    names_ref: bytes | None = key(32, KEY)
    name: str | None = key(5, Name(or_whole=True))
    counts: bytes = needed(33, Raw(60 << 10))


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekCounts(Record):
    """W: downloads of each version in the seven days that end with ``last_day``."""

    type: ClassVar[int] = 4
    letter: ClassVar[str] = "W"

    name: str = needed(5, Name())
    last_day: int = needed(30, DAY)
    versions: dict[str, int] = needed(34, MapOf(VERSION, Number(), 5000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone(Record):
    """T: a package, or one version, is gone."""

    type: ClassVar[int] = 5
    letter: ClassVar[str] = "T"

    name: str = needed(5, Name())
    version: str | None = key(6, VERSION)
    reason: str = needed(35, Choice(("unpublished", "security_held", "takedown", "mistake")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Record):
    """C: the state that follows from a core up to a block."""

    type: ClassVar[int] = 6
    letter: ClassVar[str] = "C"

    core: bytes = needed(36, KEY)
    upto: int = needed(37, Number())
    root: bytes = needed(38, KEY)
    blocks: tuple[int, ...] = key(39, ListOf(Number(), 4096), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraction(Record):
    """X: a writer takes back a record of its own.

    Attributes:
        core: key of the feed that holds it.
        block: its block's number.
        place: which record of the block, from 0; None: all of them.
        why: a word to readers.
    """

    type: ClassVar[int] = 7
    letter: ClassVar[str] = "X"

    core: bytes = needed(36, KEY)
    block: int = needed(40, Number())
    place: int | None = key(42, Number(65_536))
    why: str = key(41, SUMMARY, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRows(Record):
    """I: the least that a searching peer needs, column by column, most downloaded first."""

    type: ClassVar[int] = 8
    letter: ClassVar[str] = "I"

    names: tuple[str, ...] = needed(50, ListOf(Name(), INDEX_ROWS_MAX))
    versions: tuple[str, ...] = needed(51, ListOf(VERSION, INDEX_ROWS_MAX))
    downloads: tuple[int, ...] = needed(52, ListOf(Number(), INDEX_ROWS_MAX))
    summaries: tuple[str, ...] = needed(53, ListOf(SUMMARY, INDEX_ROWS_MAX))


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesBlock(Record):
    """N: gives packages numbers, so that a day of counts costs counts only."""

    type: ClassVar[int] = 9
    letter: ClassVar[str] = "N"

    names: tuple[str, ...] = needed(50, ListOf(Name(), NAMES_MAX))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadmePart(Record):
    """R: a readme, or a part of a long one.

    Attributes:
        digest: hash of the whole text in UTF-8; a snapshot's ``readme_hash``.
        part, parts: which part of how many, from 0.
        text: this part, in UTF-8.
    """

    type: ClassVar[int] = 10
    letter: ClassVar[str] = "R"

    digest: bytes = needed(27, KEY)
    part: int = key(54, Number(1023), 0)
    parts: int = key(55, Number(1024, 1), 1)
    text: bytes = needed(56, Raw(README_PART_BYTES))


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterCard(Record):
    """A writer's own words about itself, in its ``meta`` feed.

    Attributes:
        title: what to call it.
        cores: its feeds by kind.
        contact: how to reach who runs it.
    """

    type: ClassVar[int] = 11
    letter: ClassVar[str] = "card"

    title: str = needed(60, Text(128))
    cores: dict[str, bytes] = needed(61, MapOf(Choice(CORES), KEY, 8))
    contact: str = key(62, Text(256), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(Record):
    """A writer is at work: what it has checked, at which rate it may ask.

    Attributes:
        sequence: of the registry's changes, as far as it has followed; opaque text.
        checked: packages it has looked at since the last heartbeat.
        refusals: answers 429 since then, by host.
        rate: requests in a thousand seconds that it allows itself now.
    """

    type: ClassVar[int] = 12
    letter: ClassVar[str] = "heartbeat"

    sequence: str = key(63, Text(64), "")
    checked: int = key(64, Number(), 0)
    refusals: dict[str, int] | None = key(65, MapOf(Text(256), Number(), 16))
    rate: int | None = key(66, Number())


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A writer that a group accepts.

    Attributes:
        key: of its ``meta`` feed.
        role: what its records count for: ``crawler`` (all), ``watcher`` (versions and weeks), or
            ``notes`` (nothing that is shared).
        until: after a revocation, for each of its cores how many blocks still count; a core
            that is not named counts no longer. None: not revoked.
    """

    key: bytes
    role: str = "crawler"
    until: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class _MemberKind:
    """``{0: key, 1: role, 2: until}``."""

    _until: ClassVar[Kind] = MapOf(Choice(CORES), Number(), 8)

    def check(self, value: Any) -> Member:
        if isinstance(value, Member):
            value = {0: value.key, 1: value.role, 2: value.until}
        if not isinstance(value, dict) or not value.keys() >= {0, 1}:
            raise RecordError("no member of a group")
        until = value.get(2)
        return Member(
            key=KEY.check(value[0]),
            role=Choice(ROLES).check(value[1]),
            until=None if until is None else self._until.check(until),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupList(Record):
    """Whom a group accepts, in the feed that has the group's own key.

    Attributes:
        edition: counts up; the highest one counts.
        members: the writers.
        rate: requests in a thousand seconds that the whole group allows itself.
    """

    type: ClassVar[int] = 13
    letter: ClassVar[str] = "group"

    edition: int = needed(67, Number())
    members: tuple[Member, ...] = needed(68, ListOf(_MemberKind(), 1024))
    rate: int = key(66, Number(), 500)


Known = (
    Snapshot
    | VersionEvent
    | DayCounts
    | WeekCounts
    | Tombstone
    | Check
    | Retraction
    | IndexRows
    | NamesBlock
    | ReadmePart
    | WriterCard
    | Heartbeat
    | GroupList
)
