from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.pkgstats.records.samples import SAMPLES

from pkgstats.crawler.recall import SCHEMA, gist, recall, row_hash, said_key, tail_of
from pkgstats.records import counts
from pkgstats.records.blocks import encode_block
from pkgstats.records.codec import names_hash
from pkgstats.records.model import DayCounts, NamesBlock, Snapshot, Tombstone

AT = 1_790_000_000_000


def test_a_package_is_there_or_gone_and_all_else_is_apart() -> None:
    here = Snapshot(name="a", version="1.0.0", observed_at=AT)
    gone = Tombstone(name="a", reason="unpublished", observed_at=AT)
    assert said_key(here) == said_key(gone)
    keys = [said_key(one) for one in SAMPLES if not isinstance(one, Tombstone)]
    assert len(set(keys)) == len(keys)


def test_a_gist_is_of_the_version_and_its_deprecation() -> None:
    told = [
        Snapshot(name="a", version="1.0.0", observed_at=AT),
        Snapshot(name="a", version="1.0.1", observed_at=AT),
        Snapshot(name="a", version="1.0.0", deprecated="no", observed_at=AT),
    ]
    assert len({gist(one) for one in told}) == 3
    assert gist(Snapshot(name="a", version="1.0.0", description="x", observed_at=1)) == gist(
        told[0]
    )


def test_rows_differ_by_each_of_their_cells() -> None:
    rows = [("a", "1", 2, "s"), ("a", "1", 2, ""), ("a", "1", 3, "s"), ("a", "12", 2, "s")]
    assert len({row_hash(*row) for row in rows}) == 4


def test_blocks_of_any_kind_are_read_and_nonsense_says_nothing() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(SCHEMA)
        recall(database, 0, b"nonsense")
        for number, record in enumerate(SAMPLES):
            recall(database, number, encode_block([record]))
        assert database.execute("select count(*) from said").fetchone()[0] >= 6


def test_counts_by_number_find_their_names() -> None:
    names = ("a", "b")
    block = NamesBlock(names=names, observed_at=AT)
    days = DayCounts(
        first_day=20_000,
        span=2,
        names_ref=names_hash(names),
        counts=counts.pack([[1, 2], [3, 4]]),
        observed_at=AT,
    )
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(SCHEMA)
        recall(database, 0, encode_block([days]))
        assert tail_of(database, "b") is None
        recall(database, 0, encode_block([block]))
        recall(database, 0, encode_block([days]))
        tail = tail_of(database, "b")
        assert tail is not None
        assert (tail.first_day, tail.counts) == (20_000, (3, 4))
