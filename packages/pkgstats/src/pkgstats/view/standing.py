"""How the writers stand: their roles, their cards, what of theirs was read and refused."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pkgstats import trust
from pkgstats.view import cores, members
from pkgstats.view.facts import CoreFacts, WriterFacts

if TYPE_CHECKING:
    import sqlite3


def writers(database: sqlite3.Connection) -> list[WriterFacts]:
    """All writers that the view knows, by key."""
    by_writer: defaultdict[bytes, dict[str, CoreFacts]] = defaultdict(dict)
    roles: dict[bytes, str] = {}
    for core in cores.present(database).values():
        by_writer[core.writer_key][core.kind] = _core(database, core)
        roles[core.writer_key] = core.role
    cards = members.cards(database)
    rows = database.execute("select key, heartbeat, checked, wrong from writers order by key")
    return [
        WriterFacts(
            key=key,
            role=roles.get(key, ""),
            card=cards.get(key),
            heartbeat=members.heartbeat_of(heartbeat),
            cores=by_writer[key],
            checked=checked,
            wrong=wrong,
            aside=trust.is_set_aside(checked, wrong),
        )
        for key, heartbeat, checked, wrong in rows
    ]


def _core(database: sqlite3.Connection, core: cores.Core) -> CoreFacts:
    find = "select position, records from cores where id = ?"
    position, records = database.execute(find, (core.id,)).fetchone()
    refused = database.execute("select reason, count from refusals where core = ?", (core.id,))
    return CoreFacts(core.key, core.until, position, records, dict(refused))
