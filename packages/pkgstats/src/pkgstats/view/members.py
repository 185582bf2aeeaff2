"""What feeds of kind ``meta`` tell: lists of the group, cards, heartbeats and retractions."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from pkgstats.records.codec import decode, encode
from pkgstats.records.model import GroupList, Heartbeat, Retraction, WriterCard

if TYPE_CHECKING:
    import sqlite3

    from pkgstats.records.model import Check
    from pkgstats.view.saying import Saying

T = TypeVar("T")

GROUP_LIST: Final = "group_list"

CARDS_KEPT: Final = 64
"""Cards that are remembered: each page of a package has the titles of its writers."""

ALL: Final = -1
"""In a retraction: all records of the block."""


def say_list(saying: Saying, record: GroupList) -> None:
    """Keep the list with the highest edition; of two, the one that comes later in the feed."""
    old = group_list(saying.database)
    if old is None or record.edition >= old.edition:
        row = (GROUP_LIST, encode([record]))
        saying.database.execute("insert or replace into meta values (?, ?)", row)


def group_list(database: sqlite3.Connection) -> GroupList | None:
    """The newest list of the group."""
    row = database.execute("select value from meta where key = ?", (GROUP_LIST,)).fetchone()
    return _one(row[0], GroupList) if row else None


def say_card(saying: Saying, record: WriterCard) -> None:
    """A writer's newest words about itself."""
    update = "update writers set card = ? where id = ?"
    saying.database.execute(update, (encode([record]), saying.writer))


def say_heartbeat(saying: Saying, record: Heartbeat) -> None:
    """A writer's newest sign of life."""
    update = "update writers set heartbeat = ? where id = ?"
    saying.database.execute(update, (encode([record]), saying.writer))


def say_check(saying: Saying, record: Check) -> None:
    """A state that a writer has seen; it changes nothing, and is read where it stands."""


def say_retraction(saying: Saying, record: Retraction) -> None:
    """A writer takes back a record; a core that was read already is to be read again."""
    number = ALL if record.place is None else record.place
    row = (record.core, record.block, number, saying.writer, record.why, record.observed_at)
    add = "insert into retractions values (?, ?, ?, ?, ?, ?) on conflict do nothing"
    if saying.database.execute(add, row).rowcount:
        mark = """update cores set dirty = 1
                  where key = ? and writer = ? and kind <> 'meta' and position <> ''"""
        saying.database.execute(mark, (record.core, saying.writer))


def cards(database: sqlite3.Connection) -> dict[bytes, WriterCard]:
    """Each writer's newest card."""
    rows = database.execute("select key, card from writers where card is not null")
    return {key: _card(card) for key, card in rows}


@lru_cache(CARDS_KEPT)
def _card(body: bytes) -> WriterCard:
    return _one(body, WriterCard)


def heartbeat_of(body: bytes | None) -> Heartbeat | None:
    """A heartbeat as the table has it."""
    return None if body is None else _one(body, Heartbeat)


def retracted(database: sqlite3.Connection, core: bytes, writer: int) -> set[tuple[int, int]]:
    """Blocks and numbers (or `ALL`) of the records of a core that its writer took back."""
    find = "select block, record from retractions where core = ? and writer = ?"
    return set(database.execute(find, (core, writer)))


def _one(body: bytes, kind: type[T]) -> T:
    (record,) = decode(body)
    assert isinstance(record, kind), "the view holds what it was given"
    return record
