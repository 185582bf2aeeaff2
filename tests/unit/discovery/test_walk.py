"""Walks: who is asked in what order, when they end, what is stored where."""

from __future__ import annotations

from typing import Any

import pytest

from hypermultifeed.discovery.addresses import Address, Contact
from hypermultifeed.discovery.operations import read_any
from hypermultifeed.discovery.query import Question, Reply
from hypermultifeed.discovery.walk import (
    ASKED_MAX,
    PARALLEL_BACKGROUND_MAX,
    PARALLEL_MAX,
    Walk,
)
from hypermultifeed.errors import DiscoveryError

from .host import OWN_ID, TOKEN, ScriptedHost, contact

TARGET = bytes(32)
QUESTION = Question("peers", TARGET, b"value")
BOOTSTRAP = Address("95.0.0.1", 49737)


class Watched(Walk[Reply]):
    """A walk that notes what it tells."""

    def __init__(self, host: ScriptedHost, **named: Any) -> None:
        super().__init__(host, QUESTION, read=read_any, **named)
        self.results: list[Reply] = []
        self.ends = 0
        self.on_reply = self.results.append
        self.on_end = self.note_end
        self.start(0.0)

    def note_end(self, _query: object) -> None:
        self.ends += 1


def test_it_goes_on_until_the_closest_have_answered() -> None:
    host = ScriptedHost([contact(64)])
    walk = Watched(host)
    host.answer(contact(64), contact(32), contact(48))
    assert host.addresses() == [contact(32).address, contact(48).address]
    host.answer(contact(32), contact(1), contact(64))
    host.answer(contact(48), contact(32))
    assert not walk.done
    host.answer(contact(1))
    assert (walk.done, walk.error, walk.ends) == (True, None, 1)
    assert [reply.node for reply in walk.results] == [
        contact(number).address for number in (64, 32, 48, 1)
    ]


def test_with_nobody_to_ask_it_ends_later_with_an_error() -> None:
    host = ScriptedHost()
    walk = Watched(host)
    assert not walk.done
    host.run_later()
    assert str(walk.error) == "no node answered"
    assert walk.ends == 1


def test_bootstrap_nodes_are_asked_while_fewer_are_known() -> None:
    host = ScriptedHost([contact(1)], bootstrap=[BOOTSTRAP, contact(9).address])
    Watched(host)
    assert host.addresses() == [BOOTSTRAP, contact(9).address, contact(1).address]
    host = ScriptedHost([contact(1)], bootstrap=[BOOTSTRAP])
    Watched(host)
    assert host.addresses() == [contact(1).address]


def test_a_bootstrap_node_is_one_of_the_closest_too() -> None:
    host = ScriptedHost(bootstrap=[BOOTSTRAP])
    walk = Watched(host, updates=True)
    host.answer(Contact(contact(7).id, BOOTSTRAP))
    assert host.asked[-1] == (QUESTION._replace(token=TOKEN), BOOTSTRAP)
    host.answer(Contact(contact(7).id, BOOTSTRAP))
    assert walk.stored == 1
    assert walk.done


def test_sixteen_are_asked_at_a_time_but_always_one() -> None:
    known = [contact(number) for number in range(1, 21)]
    host = ScriptedHost(known)
    Watched(host)
    assert len(host.open) == PARALLEL_MAX
    host = ScriptedHost(known)
    host.others_in_flight = 10
    Watched(host)
    assert len(host.open) == PARALLEL_MAX - 10
    host = ScriptedHost(known)
    host.others_in_flight = 100
    Watched(host)
    assert len(host.open) == 1


def test_in_the_background_two_are_asked_while_others_wait() -> None:
    host = ScriptedHost([contact(number) for number in range(1, 21)])
    host.running = 2
    Watched(host, background=True)
    assert len(host.open) == PARALLEL_BACKGROUND_MAX
    host.running = 1
    host.answer(contact(1))
    assert len(host.open) == PARALLEL_MAX


def test_updates_go_to_those_that_gave_a_token_nearest_first() -> None:
    host = ScriptedHost([contact(3), contact(2), contact(1)])
    walk = Watched(host, updates=True)
    host.answer(contact(3))
    host.answer(contact(2), id=None)  # ephemeral
    host.answer(contact(1), roundtrip_token=None, error="no")
    assert host.addresses() == [contact(3).address]
    assert host.asked[-1][0].token == TOKEN
    host.answer(contact(3))
    assert (walk.stored, walk.error) == (1, None)


def test_a_pure_update_finds_its_way_with_find_node() -> None:
    host = ScriptedHost([contact(1)])
    walk = Watched(host, reads=False, updates=True)
    assert host.asked == [(Question("_find_node", TARGET), contact(1).address)]
    host.answer(contact(1))
    assert walk.results == []
    host.answer(contact(1), value=b"stored")
    assert [reply.value for reply in walk.results] == [b"stored"]


def test_an_update_that_nobody_took_is_an_error() -> None:
    host = ScriptedHost([contact(1), contact(2)])
    walk = Watched(host, updates=True)
    host.answer(contact(1))
    host.answer(contact(2))
    host.answer(contact(1), error="Invalid port")
    host.fail(contact(2))
    assert str(walk.error) == "no node took it: Invalid port"


def test_a_refusal_that_convinces_ends_it() -> None:
    host = ScriptedHost([contact(1), contact(2)])
    stale = DiscoveryError("stale")
    walk = Watched(host, updates=True, refusal=lambda reply: stale if reply.error else None)
    host.answer(contact(1))
    host.answer(contact(2))
    host.answer(contact(1), error="stale")
    assert (walk.error, walk.ends, host.open) == (stale, 1, [])


def test_the_first_result_can_be_the_end() -> None:
    host = ScriptedHost([contact(1), contact(2)])
    walk = Watched(host, first=True)
    host.answer(contact(1))
    assert (walk.done, walk.ends, len(walk.results)) == (True, 1, 1)
    assert len(host.cancelled) == 1


def test_cancelling_from_a_result_asks_nobody_else() -> None:
    host = ScriptedHost([contact(1)])
    walk = Watched(host)
    walk.on_reply = lambda _reply: walk.cancel()
    host.answer(contact(1), contact(2))
    assert (host.open, walk.ends, walk.done) == ([], 0, True)


def test_a_silent_node_makes_room_for_the_next() -> None:
    known = [contact(number) for number in range(1, 21)]
    host = ScriptedHost(known)
    walk = Watched(host, updates=True)
    host.answer(contact(1), contact(21), contact(22))
    for number in range(2, 20):
        host.answer(contact(number))
    host.fail(contact(20))
    assert host.addresses() == [contact(21).address]
    host.answer(contact(21))
    assert walk._to_update is not None
    assert len(host.open) == PARALLEL_MAX


def test_a_late_node_does_not_hold_up_the_others() -> None:
    host = ScriptedHost([contact(number) for number in range(1, 21)])
    Watched(host)
    host.answer(contact(1), contact(21))
    for number in range(2, 20):
        host.answer(contact(number))
    assert host.addresses() == [contact(20).address]
    host.late(contact(20))
    assert host.addresses() == [contact(20).address, contact(21).address]


def test_those_named_by_liars_are_asked_in_the_end_if_there_are_few() -> None:
    liar, named = contact(100), [contact(number) for number in range(1, 20)]
    host = ScriptedHost([liar])
    walk = Watched(host)
    host.answer(liar, *named)
    for number in range(1, 5):
        host.fail(contact(number))
    assert len(host.open) == 15
    for number in range(5, 20):
        host.answer(contact(number))
    assert walk.error is None
    assert walk.done


def test_a_walk_ends_though_each_answer_names_others_without_end() -> None:
    host = ScriptedHost([contact(1 << 20)])
    walk = Watched(host)
    host.answer(contact(1 << 20), contact(1 << 19))
    number = 1 << 19
    while not walk.done:
        number -= 1
        request = host.open[0][0]
        asked = Contact(request.expected_id or b"", request.address)
        host.answer(asked, contact(number))
    assert len(host.asked) == ASKED_MAX


@pytest.mark.parametrize("who", [OWN_ID, contact(5).id, None])
def test_whoever_is_another_than_expected_is_no_proof_of_the_expected(who: bytes | None) -> None:
    host = ScriptedHost([contact(1)])
    walk = Watched(host, updates=True)
    host.answer(contact(1), id=who)
    expected = 1 if who == contact(5).id else 0
    assert len(host.open) == expected  # to be updated
    assert walk.done is not bool(expected)


def test_a_node_that_is_full_ends_the_walk_without_harm() -> None:
    host = ScriptedHost([contact(1), contact(2)])
    walk = Watched(host)
    host.full = True
    host.answer(contact(1), contact(3))
    host.answer(contact(2), contact(4))
    assert walk.done
    assert walk.error is None
