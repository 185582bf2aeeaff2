from __future__ import annotations

from typing import Any

import pytest

from pkgstats.records.kinds import (
    NUMBER_MAX,
    Choice,
    Flag,
    Kind,
    ListOf,
    MapOf,
    Name,
    Number,
    Raw,
    RecordError,
    Text,
)

GOOD: list[tuple[Kind, Any]] = [
    (Text(4), "abcd"),
    (Text(4), "éé"),
    (Text(9), "a\tb\nc\r"),
    (Name(), "left-pad"),
    (Number(), NUMBER_MAX),
    (Number(5, 3), 3),
    (Flag(), True),
    (Choice(("a", "b")), "b"),
    (Raw(3, 1), b"x"),
    (MapOf(Text(3), Number(), 1), {"a": 1}),
]

BAD: list[tuple[Kind, Any]] = [
    (Text(4), "abcde"),
    (Text(3), "éé"),
    (Text(4), b"a"),
    (Text(9), "a\x00"),
    (Text(9), "\ud800"),
    (Text(9), "a\x1b[2J"),
    (Name(), "a b"),
    (Name(), 3),
    (Number(), NUMBER_MAX + 1),
    (Number(), -1),
    (Number(), 1.0),
    (Number(), True),
    (Number(5, 3), 2),
    (Flag(), 1),
    (Choice(("a", "b")), "c"),
    (Choice(("a", "b")), ["a"]),
    (Raw(3, 1), b""),
    (Raw(3, 1), b"long"),
    (Raw(3), "abc"),
    (ListOf(Number(), 2), [1, 2, 3]),
    (ListOf(Number(), 2), ["1"]),
    (ListOf(Number(), 2), "12"),
    (MapOf(Text(3), Number(), 1), {"a": 1, "b": 2}),
    (MapOf(Text(3), Number(), 1), {1: 1}),
    (MapOf(Text(3), Number(), 1), {"a": None}),
    (MapOf(Text(3), Number(), 1), [("a", 1)]),
]


@pytest.mark.parametrize(("kind", "value"), GOOD)
def test_what_fits_passes_unchanged(kind: Kind, value: Any) -> None:
    assert kind.check(value) == value


@pytest.mark.parametrize(("kind", "value"), BAD)
def test_what_does_not_fit_is_refused(kind: Kind, value: Any) -> None:
    with pytest.raises(RecordError):
        kind.check(value)


def test_lists_become_tuples() -> None:
    assert ListOf(Number(), 2).check([1, 2]) == (1, 2)
