"""One hash of all that counts in a view.

It knows nothing of local numbers, of the order in which things came, or of what lost: views of
the same blocks have the same hash, and two writers who tell the same at the same times too.
It is over the accepted writers that this peer has not set aside (`trust.is_set_aside`).
"""

from __future__ import annotations

import hashlib
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import cbor2

from pkgstats import merge
from pkgstats.view import days

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

_LISTING: Final = """
select p.name, l.version, l.downloads, l.summary, l.observed_at
from listing_won l join packages p on p.id = l.package order by p.name
"""

_SNAPSHOTS: Final = """
select p.name, s.digest, s.observed_at
from snapshots_won s join packages p on p.id = s.package order by p.name
"""

_VERSIONS: Final = """
select p.name, v.version, v.digest, v.observed_at
from versions_won v join packages p on p.id = v.package order by p.name, v.version
"""

_WEEKS: Final = """
select p.name, w.last_day, w.version, w.count, w.observed_at
from weeks_won w join packages p on p.id = w.package order by p.name, w.last_day, w.version
"""

_TOMBS: Final = """
select p.name, t.version, t.observed_at, case when t.version = ''
    then (select state_at from snapshots_won s where s.package = t.package)
    else (select observed_at from versions_won v
          where v.package = t.package and v.version = t.version) end
from tombs t join packages p on p.id = t.package order by p.name, t.version
"""

_COUNTED: Final = """
select name from packages p where exists (select 1 from days d where d.package = p.id)
order by name
"""


def view_hash(database: sqlite3.Connection) -> bytes:
    """BLAKE2b-256 over the rows that count, in the order of their keys.

    Each row is a CBOR array with the letter of its record first.
    """
    hashed = hashlib.blake2b(digest_size=32)
    for letter, query in (("I", _LISTING), ("P", _SNAPSHOTS), ("V", _VERSIONS), ("W", _WEEKS)):
        for row in database.execute(query):
            hashed.update(cbor2.dumps((letter, *row)))
    for told in _tombs(database):
        hashed.update(cbor2.dumps(("T", *told)))
    for counted in _days(database):
        hashed.update(cbor2.dumps(("D", *counted)))
    return hashed.digest()


def _tombs(database: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    for (name, version), rows in groupby(database.execute(_TOMBS), key=itemgetter(0, 1)):
        told = list(rows)
        state = merge.tomb_state((row[2] for row in told), told[0][3] or 0)
        yield name, version, state, max(row[2] for row in told)


def _days(database: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    observed = days.Observed(database)
    for (name,) in database.execute(_COUNTED):
        found = days.told_of(database, name, 0, days.DAYS_END, observed)
        for day in sorted(found):
            count, at, _ = found[day].best
            yield name, day, count, at
