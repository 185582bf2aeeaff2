"""The priorities are hyperswarm's."""

from __future__ import annotations

import pytest

from hypermultifeed.peers.candidate import Candidate, State


def candidate(*, local: bool = False, **fields: object) -> Candidate:
    made = Candidate(("198.51.100.7", 4711), source="x", local=local)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("fields", "priority"),
    [
        ({}, 2),
        ({"local": True}, 3),
        ({"pinned": True}, 3),
        ({"hairpin": True}, 1),
        ({"tried": True, "failures": 1}, 0),
        ({"tried": True, "failures": 1, "local": True}, 0),
        ({"tried": True, "failures": 7, "pinned": True}, 3),
        ({"tried": True, "proven": True}, 2),
        ({"tried": True, "proven": True, "failures": 1}, 5),
        ({"tried": True, "proven": True, "failures": 2}, 4),
        ({"tried": True, "proven": True, "failures": 3}, 1),
    ],
)
def test_priority(fields: dict[str, bool], priority: int) -> None:
    assert candidate(**fields).priority == priority


def test_a_candidate_is_wanted_for_a_topic_or_by_the_user() -> None:
    assert not candidate().is_wanted
    assert candidate(pinned=True).is_wanted
    assert candidate(topics={b"t"}).is_wanted


def test_a_new_candidate() -> None:
    new = candidate()
    assert new.state is State.FORGOTTEN
    assert new.block == "198.51.100.0/24"
    assert not new.topics
    assert Candidate(("192.168.0.1", 1), source=None, local=True).block is None
