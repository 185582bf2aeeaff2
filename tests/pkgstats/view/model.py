"""What a view should say, worked out from whole feeds with lists and dictionaries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pkgstats import merge, trust
from pkgstats.records import counts
from pkgstats.records.blocks import decode_block
from pkgstats.records.codec import BadRecord, UnknownRecord, content_hash, names_hash
from pkgstats.records.kinds import RecordError
from pkgstats.records.model import (
    DayCounts,
    GroupList,
    IndexRows,
    NamesBlock,
    Retraction,
    Snapshot,
    Tombstone,
    VersionEvent,
    WeekCounts,
    WriterCard,
)
from pkgstats.records.names import WHOLE

from .world import DAY_MS, GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pkgstats.records.model import Known

    from .world import World


@dataclass
class Model:
    """The joint answers, by what they are about."""

    listing: dict[str, tuple[str, int, str, int]] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    versions: dict[tuple[str, str], VersionEvent] = field(default_factory=dict)
    weeks: dict[tuple[str, int, str], int] = field(default_factory=dict)
    days: dict[tuple[str, int], tuple[int, bool]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)


def blocks(world: World, kind: str, feed: bytes) -> Iterator[tuple[int, int, Known]]:
    for number, block in enumerate(world.feeds.get((kind, feed), ())):
        try:
            records = decode_block(block)
        except RecordError:
            continue
        for place, record in enumerate(records):
            if not isinstance(record, (BadRecord, UnknownRecord)):
                yield number, place, record


def authorities(world: World) -> dict[bytes, trust.Authority]:
    lists = [one for _, _, one in blocks(world, "meta", GROUP) if isinstance(one, GroupList)]
    newest = max(lists, key=lambda one: one.edition, default=None)
    found = trust.authorities(GROUP, newest, {})
    cards = {}
    for feed, authority in found.items():
        for number, _, record in blocks(world, "meta", feed):
            if isinstance(record, WriterCard) and _within(authority, number):
                cards[feed] = record
    return trust.authorities(GROUP, newest, cards)


def _within(authority: trust.Authority, block: int) -> bool:
    return authority.until is None or block < authority.until


def statements(world: World, now: int) -> Iterator[tuple[bytes, Known]]:
    """What each accepted writer says that counts."""
    accepted = authorities(world)
    taken = set()
    for feed, authority in accepted.items():
        for number, _, record in blocks(world, "meta", feed):
            if (
                isinstance(record, Retraction)
                and authority.kind == "meta"
                and authority.role != trust.OWNER
                and _within(authority, number)
            ):
                taken.add((authority.writer, record.core, record.block, record.place))
    for feed, authority in accepted.items():
        for number, place, record in blocks(world, authority.kind, feed):
            if isinstance(record, GroupList) or trust.refusal(authority, record):
                continue
            if merge.refusal(record) or not _within(authority, number):
                continue
            at = (authority.writer, feed, number)
            if (*at, place) in taken or (*at, None) in taken or merge.is_early(record, now):
                continue
            yield authority.writer, record


def model(world: World, now: int) -> Model:
    said = list(statements(world, now))
    blocks_of = {
        (writer, names_hash(record.names)): record.names
        for writer, record in said
        if isinstance(record, NamesBlock)
    }
    best: dict[tuple[Any, ...], tuple[tuple[Any, ...], Any]] = {}
    days: dict[tuple[str, int], list[tuple[int, int, bytes]]] = {}
    tombs: dict[str, dict[bytes, int]] = {}

    def put(about: tuple[Any, ...], order: tuple[Any, ...], value: Any) -> None:
        if about not in best or order > best[about][0]:
            best[about] = order, value

    for writer, one in said:
        at = one.observed_at
        if isinstance(one, IndexRows):
            columns = zip(one.names, one.versions, one.downloads, one.summaries, strict=True)
            for name, version, downloads, summary in columns:
                order = (at, downloads, version, summary, writer)
                put(("I", name), order, (version, downloads, summary, at))
        elif isinstance(one, Snapshot):
            state_at = one.modified or at
            order_p = (state_at, merge.revision(one), at, content_hash(one), writer)
            put(("P", one.name), order_p, one)
        elif isinstance(one, VersionEvent):
            order_v = (at, merge.revision(one), at, content_hash(one), writer)
            put(("V", one.name, one.version), order_v, one)
        elif isinstance(one, WeekCounts):
            for version, count in one.versions.items():
                put(("W", one.name, one.last_day, version), (count > 0, at, count, writer), count)
        elif isinstance(one, Tombstone) and one.version is None:
            of_name = tombs.setdefault(one.name, {})
            of_name[writer] = max(of_name.get(writer, 0), at)
        elif isinstance(one, DayCounts):
            names = (
                (one.name,)
                if one.name is not None
                else blocks_of.get((writer, one.names_ref or b""), ())
            )
            for named, counted in zip(names, _rows(one, len(names)), strict=False):
                for day, count in enumerate(counted, one.first_day):
                    days.setdefault((named, day), []).append((at, count, writer))
    return _joined(best, days, tombs)


def _rows(record: DayCounts, packages: int) -> list[list[int]]:
    try:
        return counts.unpack(record.counts, packages, record.span)
    except RecordError:
        return []


def _joined(
    best: dict[tuple[Any, ...], tuple[tuple[Any, ...], Any]],
    days: dict[tuple[str, int], list[tuple[int, int, bytes]]],
    tombs: dict[str, dict[bytes, int]],
) -> Model:
    found = Model()
    tables: dict[str, dict[Any, Any]] = {
        "I": found.listing,
        "P": found.snapshots,
        "V": found.versions,
        "W": found.weeks,
    }
    for (letter, *about), (_, value) in best.items():
        tables[letter][about[0] if len(about) == 1 else tuple(about)] = value
    for (name, day), told in days.items():
        outage = name != WHOLE and not any(
            count for _, count, _ in days.get((WHOLE, day), [(0, 1, b"")])
        )
        ranked = sorted(told, key=lambda one: one if outage else (one[1] > 0, *one))
        last = {writer: (at, count) for at, count, writer in ranked}
        settled = [count for at, count in last.values() if at >= (day + 4) * DAY_MS]
        disputed = len(settled) > 1 and max(settled) - min(settled) > max(settled) / 100
        found.days[name, day] = ranked[-1][1], disputed
    for name in found.listing.keys() | found.snapshots.keys():
        latest = found.snapshots.get(name)
        alive_at = latest.modified or latest.observed_at if latest else 0
        standing = sum(at >= alive_at for at in tombs.get(name, {}).values())
        found.states[name] = ("here", "hidden", "dropped")[min(standing, 2)]
    return found
