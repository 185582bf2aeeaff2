"""Answers of SQLite that are stopped."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from pkgstats.stopping import STEPS_AT_ONCE, FewSteps, stopping, was_stopped

COUNTING = """
with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ?)
select max(n) from numbers
"""
"""Takes some steps for each number."""


def ask_often(database: sqlite3.Connection) -> None:
    for _ in range(STEPS_AT_ONCE):
        database.execute(COUNTING, (10,)).fetchone()


def test_what_takes_few_steps_is_answered() -> None:
    with closing(sqlite3.connect(":memory:")) as database, stopping(database, FewSteps().reached):
        assert database.execute(COUNTING, (10,)).fetchone() == (10,)


def test_what_takes_many_steps_is_stopped_and_the_connection_goes_on() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        with (
            pytest.raises(sqlite3.OperationalError) as caught,
            stopping(database, FewSteps().reached),
        ):
            database.execute(COUNTING, (STEPS_AT_ONCE,)).fetchone()
        assert was_stopped(caught.value)
        assert database.execute(COUNTING, (STEPS_AT_ONCE,)).fetchone() == (STEPS_AT_ONCE,)


def test_many_short_questions_take_many_steps_together() -> None:
    with (
        closing(sqlite3.connect(":memory:")) as database,
        pytest.raises(sqlite3.OperationalError) as caught,
        stopping(database, FewSteps().reached),
    ):
        ask_often(database)
    assert was_stopped(caught.value)


def test_other_errors_are_no_stop() -> None:
    with (
        closing(sqlite3.connect(":memory:")) as database,
        pytest.raises(sqlite3.OperationalError) as caught,
    ):
        database.execute("select * from nowhere")
    assert not was_stopped(caught.value)
