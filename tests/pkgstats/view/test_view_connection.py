from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from pkgstats.view import schema, swapping
from pkgstats.view.connection import ReadConnection

if TYPE_CHECKING:
    from pathlib import Path


def put(path: Path, value: str) -> None:
    writer = schema.connect_writer(path)
    writer.execute("create table if not exists word (value)")
    writer.execute("delete from word")
    writer.execute("insert into word values (?)", (value,))
    writer.close()


def get(reader: ReadConnection) -> str:
    with reader.state() as database:
        value: str = database.execute("select value from word").fetchone()[0]
    return value


def test_a_state_stays_as_it_is_and_the_next_is_the_latest(path: Path) -> None:
    put(path, "one")
    with ReadConnection(path) as reader:
        with reader.state():
            assert get(reader) == "one"
            put(path, "two")
            assert get(reader) == "one"
        assert get(reader) == "two"


def test_a_state_ends_with_an_error_too(path: Path) -> None:
    put(path, "one")
    with ReadConnection(path) as reader:
        with pytest.raises(sqlite3.OperationalError), reader.state() as database:
            database.execute("select nothing")
        put(path, "two")
        assert get(reader) == "two"


def test_a_file_that_took_the_place_of_the_old_one_is_read_from_then_on(path: Path) -> None:
    put(path, "one")
    fresh = swapping.fresh_path(path)
    put(fresh, "two")
    with ReadConnection(path) as reader:
        assert get(reader) == "one"
        with reader.state():
            swapping.swap(path, fresh)
            assert get(reader) == "one"
        assert get(reader) == "two"


def test_there_has_to_be_a_file(path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        ReadConnection(path)
