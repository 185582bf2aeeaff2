from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from pkgstats.view import schema

if TYPE_CHECKING:
    from pathlib import Path

GROUP = b"G" * 32


def made(path: Path) -> sqlite3.Connection:
    connection = schema.connect_writer(path)
    schema.create(connection, "one", GROUP)
    return connection


def test_a_new_file_is_empty_and_then_a_view_of_its_group(path: Path) -> None:
    connection = schema.connect_writer(path)
    assert schema.is_empty(connection)
    schema.create(connection, "one", GROUP)
    assert not schema.is_empty(connection)
    assert schema.made_for(connection) == (schema.SCHEMA, GROUP)
    connection.close()


def test_another_database_is_no_view(path: Path) -> None:
    connection = schema.connect_writer(path)
    connection.execute("create table meta (words text)")
    assert schema.made_for(connection) is None
    connection.close()


def test_all_tables_that_are_promised_are_there(path: Path) -> None:
    connection = made(path)
    names = {name for (name,) in connection.execute("select name from sqlite_master")}
    promised = "writers cores packages listing snapshots versions weeks days names_blocks tombs"
    assert names >= {*promised.split(), "retractions", "deferred", "waiting", "meta"}
    connection.close()


def test_a_reader_cannot_write(path: Path) -> None:
    connection = made(path)
    reader = schema.connect_reader(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("delete from meta")
    reader.close()
    connection.close()


def test_a_reader_makes_no_file(path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        schema.connect_reader(path)
    assert not path.exists()


@pytest.mark.parametrize("table", ["listing", "snapshots", "tombs"])
def test_a_package_that_somebody_says_something_new_of_is_marked(path: Path, table: str) -> None:
    connection = made(path)
    connection.execute("insert into packages (id, name) values (1, 'a')")
    for generation, change in enumerate(
        [
            f"insert into {table} (package, version, writer) values (1, '', 1)",  # noqa: S608
            f"update {table} set version = '2'",  # noqa: S608
            f"delete from {table}",  # noqa: S608
        ],
        1,
    ):
        connection.execute("update meta set value = ? where key = 'generation'", (generation,))
        connection.execute(change)
        (marked,) = connection.execute("select changed from packages").fetchone()
        assert marked == generation
    connection.close()


@pytest.mark.parametrize(
    ("table", "order"),
    [
        ("listing", ["observed_at", "downloads", "version", "summary"]),
        ("snapshots", ["state_at", "revision", "observed_at", "digest"]),
        ("versions", ["state_at", "revision", "observed_at", "digest"]),
    ],
)
def test_the_winner_is_the_highest_in_each_column_of_the_order(
    path: Path, table: str, order: list[str]
) -> None:
    """Each column decides among those that are equal in all before it; the key comes last."""
    connection = made(path)
    connection.execute("insert into writers (id, key) values (1, x'02'), (2, x'01')")
    for decisive in range(len(order) + 1):
        lower = ([5] * decisive + [4] + [6] * len(order))[: len(order)]
        for writer, values in ((1, lower), (2, [5] * len(order))):
            row = {"package": 1, "writer": writer, "version": "1"}
            row |= dict(zip(order, values, strict=True))
            marks = ", ".join("?" * len(row))
            add = f"insert into {table} ({', '.join(row)}) values ({marks})"  # noqa: S608
            connection.execute(add, [*row.values()])
        find = f"select writer from {table}_won"  # noqa: S608
        (winner,) = connection.execute(find).fetchone()
        assert winner == (2 if decisive < len(order) else 1)
        connection.execute(f"delete from {table}")  # noqa: S608
    connection.close()


def test_of_weeks_any_count_beats_zero_then_the_later_then_the_larger(path: Path) -> None:
    connection = made(path)
    connection.execute("insert into writers (id, key) values (1, x'02'), (2, x'01')")
    for lower, higher in (((0, 9), (1, 1)), ((9, 1), (1, 2)), ((8, 2), (9, 2))):
        for writer, (count, at) in ((1, lower), (2, higher)):
            row = (1, 20_000, "1", writer, count, at, 1, 1)
            connection.execute("insert into weeks values (?, ?, ?, ?, ?, ?, ?, ?)", row)
        assert connection.execute("select count from weeks_won").fetchall() == [(higher[0],)]
        connection.execute("delete from weeks")
    connection.close()
