"""Blocks of accepted cores, record by record, into the tables.

A record that cannot be understood, that its writer may not say, or that cannot be true is counted
and has no other effect. One from the future waits until it is not, and counts of a names block
that is not here wait for it; their blocks are held as they came, which costs no more than the
feed itself.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pkgstats import merge, trust
from pkgstats.records.blocks import decode_block
from pkgstats.records.codec import BadRecord, UnknownRecord
from pkgstats.records.kinds import RecordError
from pkgstats.records.model import (
    Check,
    DayCounts,
    GroupList,
    Heartbeat,
    IndexRows,
    NamesBlock,
    ReadmePart,
    Retraction,
    Snapshot,
    Tombstone,
    VersionEvent,
    WeekCounts,
    WriterCard,
)
from pkgstats.view import cores, days, members, packages
from pkgstats.view.saying import Saying, place_of, source_id

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    from pkgstats.records.model import Known
    from pkgstats.view.cores import Core

NO_BLOCK: Final = "no block of records"
BAD_RECORD: Final = "no good record"
UNKNOWN: Final = "of an unknown kind"
BAD_COUNTS: Final = "counts that do not fit"
RETRACTED: Final = "taken back"
REVOKED: Final = "after the writer was revoked"
NO_PLACE: Final = "in a feed where it does not belong"

_SAY: Final[dict[type, Callable[[Saying, Any], None]]] = {
    IndexRows: packages.say_index_rows,
    Snapshot: packages.say_snapshot,
    VersionEvent: packages.say_version,
    WeekCounts: packages.say_weeks,
    Tombstone: packages.say_tombstone,
    ReadmePart: packages.say_readme,
    WriterCard: members.say_card,
    Heartbeat: members.say_heartbeat,
    Check: members.say_check,
    Retraction: members.say_retraction,
    GroupList: members.say_list,
}


@dataclass(frozen=True, slots=True)
class _Block:
    """A block of a core, and which of its writer's records were taken back."""

    core: Core
    number: int
    data: bytes
    taken: set[tuple[int, int]]

    def is_taken(self, place: int) -> bool:
        return (self.number, place) in self.taken or (self.number, members.ALL) in self.taken


class Applier:
    """Applies blocks within one transaction.

    Attributes:
        blocks, records, refused: how many came, and how many do not count.
    """

    def __init__(
        self, database: sqlite3.Connection, group: bytes, now: int, horizon: int | None = None
    ) -> None:
        """Take a connection within a transaction, the group's key, and the time in ms.

        Facts that were observed after ``horizon``, in ms, are passed over.
        """
        self._database = database
        self._group = group
        self._now = now
        self._horizon = horizon
        self._sources: dict[str, int] = {}
        self._named: defaultdict[int, set[bytes]] = defaultdict(set)
        self.blocks = self.records = self.refused = 0

    def take(self, core: Core, blocks: Iterable[tuple[int, bytes | None]]) -> None:
        """Apply blocks of a core: their numbers, and what they hold; None if nothing legible."""
        taken = self._taken(core)
        for number, data in blocks:
            if core.key == self._group or not _is_beyond(core, number):
                self.blocks += 1
                self._take(_Block(core, number, data or b"", taken))

    def release_waiting(self) -> None:
        """Apply the counts that waited for names which have come in this transaction."""
        find = "select c.id from cores c where c.writer = ? and c.kind = 'days'"
        for writer, refs in self._named.items():
            for (core,) in self._database.execute(find, (writer,)).fetchall():
                self._release_refs(cores.get(self._database, core), refs)
        self._named.clear()

    def release_due(self) -> None:
        """Apply the records whose time has come."""
        find = "select core, block, since from deferred where due <= ?"
        remove = "delete from deferred where core = ? and block = ?"
        for core, number, since in self._database.execute(find, (self._now,)).fetchall():
            self._database.execute(remove, (core, number))
            self._again(core, number, partial(merge.is_early, now=since))
        self._drop_held()
        self.release_waiting()

    def _taken(self, core: Core) -> set[tuple[int, int]]:
        if core.kind == trust.META:
            return set()  # who takes back a retraction may as well say the record again
        return members.retracted(self._database, core.key, core.writer)

    def _take(self, block: _Block) -> None:
        try:
            records = decode_block(block.data)
        except RecordError:
            self._refuse(block.core, NO_BLOCK)
            return
        self.records += len(records)
        cores.count(self._database, block.core, len(records))
        for place, record in enumerate(records):
            if isinstance(record, (BadRecord, UnknownRecord)):
                self._refuse(
                    block.core, UNKNOWN if isinstance(record, UnknownRecord) else BAD_RECORD
                )
                continue
            reason = self._refusal(block, place, record)
            if reason is None:
                self._say(block, place, record)
            else:
                self._refuse(block.core, reason)

    def _refusal(self, block: _Block, place: int, record: Known) -> str | None:
        core = block.core
        if isinstance(record, GroupList):
            return None if core.key == self._group else NO_PLACE
        if _is_beyond(core, block.number):
            return REVOKED
        reason = trust.refusal(core.authority, record) or merge.refusal(record)
        return RETRACTED if reason is None and block.is_taken(place) else reason

    def _say(self, block: _Block, place: int, record: Known) -> None:
        core = block.core
        if self._is_later(core, record):
            return
        if core.kind != trust.META and merge.is_early(record, self._now):
            self._defer(block, merge.due(record))
            return
        source = self._source(record.source)
        at = place_of(block.number, place)
        saying = Saying(self._database, core.writer, core.id, at, source)
        if isinstance(record, NamesBlock):
            self._named[core.writer].add(days.say_names(saying, record))
        elif isinstance(record, DayCounts):
            self._say_days(block, saying, record)
        else:
            _SAY[type(record)](saying, record)

    def _is_later(self, core: Core, record: Known) -> bool:
        """Whether it is a fact of a time that is not looked at.

        What writers tell of themselves counts always, and names are no facts: counts that were
        observed before may stand on them.
        """
        if self._horizon is None or core.kind == trust.META or isinstance(record, NamesBlock):
            return False
        return record.observed_at > self._horizon

    def _say_days(self, block: _Block, saying: Saying, record: DayCounts) -> None:
        counted = days.packages_of(saying, record)
        if counted is None:
            row = (block.core.id, record.names_ref, block.number)
            self._database.execute("insert or ignore into waiting values (?, ?, ?)", row)
            self._hold(block)
            return
        try:
            days.say_days(saying, record, counted)
        except RecordError:
            self._refuse(block.core, BAD_COUNTS)

    def _source(self, name: str) -> int:
        if name not in self._sources:
            self._sources[name] = source_id(self._database, name)
        return self._sources[name]

    def _refuse(self, core: Core, reason: str) -> None:
        self.refused += 1
        cores.refuse(self._database, core, reason)

    def _defer(self, block: _Block, due: int) -> None:
        add = """insert into deferred values (?, ?, ?, ?) on conflict (core, block)
                 do update set due = min(due, excluded.due)"""
        self._database.execute(add, (block.core.id, block.number, self._now, due))
        self._hold(block)

    def _hold(self, block: _Block) -> None:
        row = (block.core.id, block.number, block.data)
        self._database.execute("insert or ignore into held values (?, ?, ?)", row)

    def _release_refs(self, core: Core, refs: set[bytes]) -> None:
        blocks: set[int] = set()
        for ref in refs:
            find = "select block from waiting where core = ? and ref = ?"
            blocks.update(number for (number,) in self._database.execute(find, (core.id, ref)))
            remove = "delete from waiting where core = ? and ref = ?"
            self._database.execute(remove, (core.id, ref))
        for number in sorted(blocks):
            self._again(core.id, number, partial(_waits_for, refs))
        if blocks:
            self._drop_held()

    def _again(self, core_id: int, number: int, pick: Callable[[Known], bool]) -> None:
        """Say those records of a held block whose time has come."""
        core = cores.get(self._database, core_id)
        find = "select data from held where core = ? and block = ?"
        (data,) = self._database.execute(find, (core_id, number)).fetchone()
        block = _Block(core, number, data, self._taken(core))
        for place, record in enumerate(decode_block(data)):
            if isinstance(record, (BadRecord, UnknownRecord)) or not pick(record):
                continue
            if self._refusal(block, place, record) is None:
                self._say(block, place, record)

    def _drop_held(self) -> None:
        self._database.execute(
            """delete from held where (core, block) not in
               (select core, block from deferred union select core, block from waiting)"""
        )


def _is_beyond(core: Core, block: int) -> bool:
    return core.until is not None and block >= core.until


def _waits_for(refs: set[bytes], record: Known) -> bool:
    return isinstance(record, DayCounts) and record.names_ref in refs
