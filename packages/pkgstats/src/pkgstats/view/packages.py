"""How records about packages become rows.

Of what one writer says about one thing, the row with the highest order stays (`pkgstats.merge`).
All of these may be given the same record twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pkgstats import merge
from pkgstats.records.codec import content_hash, decode, encode
from pkgstats.records.model import (
    IndexRows,
    ReadmePart,
    Snapshot,
    Tombstone,
    VersionEvent,
    WeekCounts,
)
from pkgstats.records.names import is_package_name
from pkgstats.view.saying import package_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pkgstats.view.saying import Saying

_ADD_NAME: Final = "insert into packages (name) values (?) on conflict do nothing"

_ADD_ROW: Final = """
insert into listing select id, ?, ?, ?, ?, ?, ?, ? from packages where name = ?
on conflict (package, writer) do update set
    observed_at = excluded.observed_at, downloads = excluded.downloads,
    version = excluded.version, summary = excluded.summary,
    source = excluded.source, place = excluded.place
where (excluded.observed_at, excluded.downloads, excluded.version, excluded.summary)
    > (listing.observed_at, listing.downloads, listing.version, listing.summary)
"""

_ADD_VERSION: Final = """
insert into versions values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (package, version, writer) do update set
    state_at = excluded.state_at, revision = excluded.revision,
    observed_at = excluded.observed_at, digest = excluded.digest,
    published = excluded.published, integrity = excluded.integrity,
    unpacked = excluded.unpacked, deprecated = excluded.deprecated,
    publisher = excluded.publisher, source = excluded.source, place = excluded.place
where (excluded.state_at, excluded.revision, excluded.observed_at, excluded.digest)
    > (versions.state_at, versions.revision, versions.observed_at, versions.digest)
"""

_ADD_WEEK: Final = """
insert into weeks values (?, ?, ?, ?, ?, ?, ?, ?)
on conflict (package, last_day, version, writer) do update set
    count = excluded.count, observed_at = excluded.observed_at,
    source = excluded.source, place = excluded.place
where (excluded.count > 0, excluded.observed_at, excluded.count)
    > (weeks.count > 0, weeks.observed_at, weeks.count)
"""

_ADD_TOMB: Final = """
insert into tombs values (?, ?, ?, ?, ?, ?, ?)
on conflict (package, version, writer) do update set
    observed_at = excluded.observed_at, reason = excluded.reason,
    source = excluded.source, place = excluded.place
where (excluded.observed_at, excluded.reason) > (tombs.observed_at, tombs.reason)
"""


def say_index_rows(saying: Saying, record: IndexRows) -> None:
    """Rows of the list, thousands at a time."""
    saying.database.executemany(_ADD_NAME, [(name,) for name in record.names])
    writer, at, source, place = saying.writer, record.observed_at, saying.source, saying.place
    columns = zip(record.names, record.versions, record.downloads, record.summaries, strict=True)
    saying.database.executemany(
        _ADD_ROW,
        [
            (writer, at, downloads, version, summary, source, place, name)
            for name, version, downloads, summary in columns
        ],
    )


def say_snapshot(saying: Saying, record: Snapshot) -> None:
    """The latest manifest, with who maintains the package and what it depends on."""
    order = merge.snapshot_order(record, content_hash(record))
    package = package_id(saying.database, record.name)
    find = """select state_at, revision, observed_at, digest, body from snapshots
              where package = ? and writer = ?"""
    old = saying.database.execute(find, (package, saying.writer)).fetchone()
    if old is not None:
        if merge.Order(*old[:4]) >= order:
            return
        _unlink(saying, package, old[4])
    row = (package, saying.writer, *order, record.version, record.description)
    saying.database.execute(
        "insert or replace into snapshots values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*row, saying.source, saying.place, encode([record]), record.created),
    )
    _link(saying, package, record)


def say_version(saying: Saying, record: VersionEvent) -> None:
    """A version that was published or has changed."""
    package = package_id(saying.database, record.name)
    order = merge.version_order(record, content_hash(record))
    row = (package, record.version, saying.writer, *order, record.published, record.integrity)
    more = (record.unpacked, record.deprecated, record.publisher, saying.source, saying.place)
    saying.database.execute(_ADD_VERSION, (*row, *more))


def say_weeks(saying: Saying, record: WeekCounts) -> None:
    """Downloads of each version in a week."""
    package = package_id(saying.database, record.name)
    head, tail = (package, record.last_day), (record.observed_at, saying.source, saying.place)
    saying.database.executemany(
        _ADD_WEEK,
        [
            (*head, version, saying.writer, count, *tail)
            for version, count in record.versions.items()
        ],
    )


def say_tombstone(saying: Saying, record: Tombstone) -> None:
    """A package or a version that is gone."""
    package = package_id(saying.database, record.name)
    row = (package, record.version or "", saying.writer, record.observed_at, record.reason)
    saying.database.execute(_ADD_TOMB, (*row, saying.source, saying.place))


def say_readme(saying: Saying, record: ReadmePart) -> None:
    """Where a part of a readme lies; its text stays in the feed."""
    row = (record.digest, record.part, saying.writer, record.parts, saying.core, saying.place)
    add = "insert into readmes values (?, ?, ?, ?, ?, ?) on conflict do nothing"
    saying.database.execute(add, row)


def _link(saying: Saying, package: int, record: Snapshot) -> None:
    saying.database.executemany(
        "insert into maintainers values (?, ?, ?) on conflict do nothing",
        [(user, package, saying.writer) for user in record.maintainers],
    )
    targets = _targets(record)
    saying.database.executemany(_ADD_NAME, [(target,) for target in targets])
    saying.database.executemany(
        "insert into depends select id, ?, ? from packages where name = ? on conflict do nothing",
        [(package, saying.writer, target) for target in targets],
    )


def _unlink(saying: Saying, package: int, body: bytes) -> None:
    """Take out what an older snapshot linked; its own words tell what that was."""
    (record,) = decode(body)
    assert isinstance(record, Snapshot), "the view holds what it was given"
    saying.database.executemany(
        "delete from maintainers where user = ? and package = ? and writer = ?",
        [(user, package, saying.writer) for user in record.maintainers],
    )
    saying.database.executemany(
        """delete from depends where package = ? and writer = ?
           and target = (select id from packages where name = ?)""",
        [(package, saying.writer, target) for target in _targets(record)],
    )


def _targets(record: Snapshot) -> Iterable[str]:
    return [name for name in record.dependencies or () if is_package_name(name)]
