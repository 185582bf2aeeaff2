"""Who is dialled next, and when again."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from hypermultifeed.peers import backoff
from hypermultifeed.peers.backoff import (
    FORGET_S,
    JITTER,
    KEPT_MAX,
    NAMED_S,
    PATIENT_WAIT_S,
    RECONNECT_WAIT_S,
    RETRY_WAITS_S,
    USEFUL_S,
)
from hypermultifeed.peers.candidate import Candidate, State
from hypermultifeed.peers.dial_budget import DIALS_PER_BLOCK, DIALS_PER_TOPIC
from hypermultifeed.peers.peer_queue import (
    ASK_ABOVE,
    BANS_MAX,
    CANDIDATES_MAX,
    CROWDED_S,
    LOOK_AGAIN_S,
    PATIENT_EVERY,
    STABLE_S,
    PeerQueue,
)
from hypermultifeed.peers.waiting_list import WAITING_PER_SOURCE_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPIC, OTHER = b"t" * 32, b"o" * 32
PEER = ("198.51.100.7", 4711)
LOW, HIGH = JITTER


def queue(*topics: bytes) -> PeerQueue:
    made = PeerQueue(Random(1), 0.0)
    for topic in topics or (TOPIC,):
        made.join(topic)
    return made


def add(peers: PeerQueue, address: tuple[str, int] = PEER, now: float = 0.0, **more: Any) -> bool:
    return peers.add(address, now, **{"topic": TOPIC, "source": "node", **more})


def taken(peers: PeerQueue, now: float = 0.0) -> Candidate:
    candidate = peers.next(now)
    assert candidate is not None
    return candidate


def public(number: int, per_block: int = 1) -> tuple[str, int]:
    """Addresses in different networks, or some in each."""
    block, last = divmod(number, per_block)
    return f"{20 + (block >> 16)}.{block >> 8 & 255}.{block & 255}.{last + 1}", 4711


def test_a_peer_is_dialled_once() -> None:
    peers = queue()
    assert add(peers)
    assert not add(peers)
    candidate = taken(peers)
    assert candidate.address == PEER
    assert candidate.topics == {TOPIC}
    assert candidate.state is State.DIALLING
    assert peers.next(0.0) is None
    assert not add(peers)
    assert peers.next(0.0) is None
    assert (len(peers), peers.dialling, peers.waiting) == (1, 1, 0)
    assert list(peers) == [candidate]
    assert peers.get(PEER) is candidate


def test_peers_of_topics_that_are_not_joined_are_not_taken() -> None:
    peers = queue()
    assert not add(peers, topic=OTHER)
    assert not add(peers, topic=None)
    assert peers.next(0.0) is None


def test_one_peer_of_two_topics_is_dialled_once_and_knows_both() -> None:
    peers = queue(TOPIC, OTHER)
    assert add(peers)
    assert add(peers, topic=OTHER)
    assert taken(peers).topics == {TOPIC, OTHER}
    assert peers.next(0.0) is None


def test_a_peer_that_is_connected_learns_of_another_topic() -> None:
    peers = queue(TOPIC, OTHER)
    add(peers)
    candidate = taken(peers)
    peers.greeted(candidate, 0.0)
    assert add(peers, topic=OTHER)
    assert candidate.topics == {TOPIC, OTHER}
    assert peers.untried(OTHER) == 0


def test_the_better_ones_come_first() -> None:
    peers = queue()
    add(peers, ("198.51.100.1", 1), hairpin=True)
    add(peers, ("198.51.100.2", 1))
    add(peers, ("192.168.0.3", 1), local=True)
    order = [taken(peers).address[0][-1] for _ in range(3)]
    assert order == ["3", "2", "1"]


@pytest.fixture
def nobody_is_kept() -> Iterator[None]:
    """All places of those who are not given up are taken."""
    with patch.object(backoff, "KEPT_MAX", 0):
        yield


@pytest.mark.usefixtures("nobody_is_kept")
def test_who_refuses_is_retried_after_growing_waits_and_then_given_up() -> None:
    peers = queue()
    add(peers)
    now = 0.0
    for wait in RETRY_WAITS_S:
        candidate = taken(peers, now)
        peers.answered(candidate)
        peers.ended(candidate, now)
        assert candidate.state is State.RESTING
        when = peers.get_timer(now)
        assert when is not None
        assert LOW * wait <= when - now <= HIGH * wait
        assert peers.next(when - 0.001) is None
        now = when
    peers.ended(taken(peers, now), now)
    when = peers.get_timer(now)
    assert when is not None
    assert LOW * FORGET_S <= when - now <= HIGH * FORGET_S
    assert not add(peers, now=now), "it is remembered for a while"
    assert peers.next(when) is None
    assert len(peers) == 0
    assert peers.get_timer(when) is None
    assert add(peers, now=when), "then it may be found again"


def last_dial(peers: PeerQueue, now: float) -> float:
    """Let every dial fail by silence; returns when the last one began."""
    last = now
    while (candidate := peers.next(now)) is not None:
        last = now
        peers.ended(candidate, now)
        when = peers.get_timer(now)
        assert when is not None
        assert when - now <= max(PATIENT_WAIT_S, FORGET_S) * HIGH
        now = when
    return last


def test_where_nothing_answers_it_is_tried_for_as_long_as_the_dht_names_a_peer() -> None:
    """It may be on the other side of a network that fell apart."""
    peers = queue()
    add(peers)
    assert NAMED_S - PATIENT_WAIT_S * HIGH <= last_dial(peers, 0.0) <= NAMED_S
    assert len(peers) == 0


def test_a_peer_that_was_useful_is_tried_for_longer() -> None:
    peers = queue()
    add(peers)
    candidate = taken(peers)
    peers.greeted(candidate, 0.0)
    peers.ended(candidate, STABLE_S)
    again = taken(peers, STABLE_S + 1)
    peers.park(again)  # another connection to it won
    peers.ended(again, STABLE_S + 1)
    again.useful = True
    peers.unpark(again, 100.0)
    last = last_dial(peers, 101.0)
    assert USEFUL_S - PATIENT_WAIT_S * HIGH <= last - 100.0 <= USEFUL_S


def test_few_are_not_given_up_and_the_useful_before_others() -> None:
    peers = queue()
    for number in range(KEPT_MAX + 10):
        add(peers, public(number), source=str(number))
    for _ in range(10):
        useful = taken(peers)
        peers.greeted(useful, 0.0)
        peers.ended(useful, STABLE_S)
    now = STABLE_S
    for _ in range(2000):
        now += 0.5
        while (candidate := peers.next(now)) is not None:
            peers.ended(candidate, now)
    assert now > NAMED_S
    assert len(peers) == 10
    assert all(candidate.proven for candidate in peers)


def test_a_stable_connection_is_taken_up_again_at_once() -> None:
    peers = queue()
    add(peers)
    candidate = taken(peers)
    peers.greeted(candidate, 0.0)
    assert (candidate.state, peers.dialling) == (State.CONNECTED, 0)
    peers.ended(candidate, STABLE_S)
    assert peers.get_timer(STABLE_S) == pytest.approx(STABLE_S + RECONNECT_WAIT_S, rel=0.1)
    assert taken(peers, STABLE_S + 1) is candidate


@pytest.mark.parametrize("useful", [True, False])
def test_who_used_a_connection_knows_better_than_its_age(useful: bool) -> None:
    peers = queue()
    add(peers)
    candidate = taken(peers)
    peers.greeted(candidate, 0.0)
    candidate.useful = useful
    lived = 0.0 if useful else STABLE_S
    peers.ended(candidate, lived)
    wait = RECONNECT_WAIT_S if useful else RETRY_WAITS_S[0]
    assert LOW * wait <= candidate.since - lived <= HIGH * wait
    assert candidate.useful is None


@pytest.mark.usefixtures("nobody_is_kept")
def test_a_peer_that_hangs_up_every_time_is_given_up() -> None:
    peers = queue()
    add(peers)
    now = 0.0
    for _ in range(len(RETRY_WAITS_S) + 1):
        candidate = taken(peers, now)
        peers.greeted(candidate, now)
        peers.ended(candidate, now + STABLE_S / 2)
        now += 100.0
    assert peers.next(now) is None
    assert len(peers) == 0


def test_who_was_connected_goes_before_the_untried_and_those_before_the_failed() -> None:
    peers = queue()
    add(peers, ("198.51.100.1", 1))
    add(peers, ("198.51.100.2", 1))
    for candidate in [taken(peers), taken(peers)]:
        if candidate.address[0].endswith("1"):
            peers.greeted(candidate, 0.0)
        peers.ended(candidate, 0.0)
    add(peers, ("198.51.100.3", 1))
    assert [taken(peers, 10.0).address[0][-1] for _ in range(3)] == ["1", "3", "2"]


def test_one_dial_in_eight_goes_to_the_hopeless() -> None:
    peers = queue()
    add(peers, ("198.51.100.1", 1))
    peers.ended(taken(peers), 0.0)
    for number in range(100):
        add(peers, public(number))
    found = [taken(peers, 10.0).failures for _ in range(PATIENT_EVERY)]
    assert sum(found) == 1


def test_a_pinned_peer_needs_no_topic_and_is_never_given_up() -> None:
    peers = PeerQueue(Random(1), 0.0)
    assert peers.add(PEER, 0.0, pinned=True)
    assert not peers.add(PEER, 0.0, pinned=True)
    now = 0.0
    for _ in range(50):
        candidate = taken(peers, now)
        peers.ended(candidate, now)
        when = peers.get_timer(now)
        assert when is not None
        assert when - now <= PATIENT_WAIT_S * HIGH
        now = when
    assert not peers.add(PEER, now, pinned=True)
    assert taken(peers, now) is candidate, "asking again dials at once"


def test_a_peer_that_was_found_may_be_pinned_later() -> None:
    peers = queue()
    add(peers)
    assert peers.add(PEER, 0.0, pinned=True)
    peers.leave(TOPIC)
    assert taken(peers).address == PEER


def test_leaving_a_topic_forgets_its_peers() -> None:
    peers = queue(TOPIC, OTHER)
    add(peers, public(1))
    add(peers, public(2))
    add(peers, public(2), topic=OTHER)
    dialled = [taken(peers) for _ in range(2)]
    peers.ended(dialled[0], 0.0)
    peers.greeted(dialled[1], 0.0)
    add(peers, public(3))
    add(peers, public(4))
    add(peers, public(4), topic=OTHER)
    peers.leave(TOPIC)
    peers.leave(TOPIC)
    assert {candidate.address for candidate in peers} == {public(2), public(4)} | {
        dialled[1].address
    }
    peers.leave(OTHER)
    assert [candidate.state for candidate in peers] == [State.CONNECTED]
    peers.ended(dialled[1], 100.0)
    assert len(peers) == peers.waiting == 0
    assert peers.next(100.0) is None
    assert peers.get_timer(100.0) is None


def test_untried_peers_are_counted_per_topic() -> None:
    peers = queue(TOPIC, OTHER)
    add(peers, public(1))
    add(peers, public(1), topic=OTHER)
    add(peers, public(2))
    assert (peers.untried(TOPIC), peers.untried(OTHER)) == (2, 1)
    first, second = taken(peers), taken(peers)
    assert peers.untried(TOPIC) == 2
    peers.ended(first, 0.0)
    peers.greeted(second, 0.0)
    assert (peers.untried(TOPIC), peers.untried(OTHER)) == (0, 0)
    add(peers, public(3))
    peers.ban(public(3))
    assert peers.untried(TOPIC) == 0
    assert peers.untried(b"never joined") == 0


def test_banned_addresses_are_never_dialled_again() -> None:
    peers = queue()
    add(peers)
    peers.ban(PEER)
    assert peers.next(0.0) is None
    assert not add(peers)
    assert not peers.add(PEER, 0.0, pinned=True)
    assert len(peers) == 0


def test_a_ban_while_dialling_lasts() -> None:
    peers = queue()
    peers.add(PEER, 0.0, pinned=True)
    candidate = taken(peers)
    peers.ban(PEER)
    peers.ended(candidate, 0.0)
    assert peers.get_timer(0.0) is None
    assert len(peers) == 0


def test_bans_are_bounded() -> None:
    peers = queue()
    for number in range(BANS_MAX + 10):
        peers.ban(public(number))
    assert len(peers.banned) == BANS_MAX
    assert add(peers, public(0))
    assert not add(peers, public(10))


def test_a_parked_peer_rests_until_the_other_connection_is_over() -> None:
    peers = queue()
    add(peers)
    candidate = taken(peers)
    peers.park(candidate)
    peers.ended(candidate, 0.0)
    assert (candidate.state, peers.dialling) == (State.PARKED, 0)
    assert not add(peers)
    assert peers.get_timer(0.0) is None
    peers.unpark(candidate, 5.0)
    assert taken(peers, 6.0) is candidate
    peers.unpark(candidate, 6.0)
    assert candidate.state is State.DIALLING


def test_a_parked_peer_is_not_dialled_again_before_its_own_connection_is_over() -> None:
    """The other one may end while this one is still being closed."""
    peers = queue()
    add(peers)
    candidate = taken(peers)
    peers.park(candidate)
    peers.unpark(candidate, 5.0)
    assert peers.next(10.0) is None
    peers.ended(candidate, 10.0)
    assert taken(peers, 11.0) is candidate
    peers.ended(candidate, 11.0)
    assert candidate.state is State.RESTING


def test_a_parked_peer_of_no_topic_is_forgotten() -> None:
    peers = queue()
    add(peers)
    candidate = taken(peers)
    peers.greeted(candidate, 0.0)
    peers.park(candidate)
    peers.leave(TOPIC)
    peers.unpark(candidate, 1.0)
    peers.park(candidate)
    assert len(peers) == 0
    assert candidate.state is State.FORGOTTEN


def test_the_budget_of_a_topic_leaves_room_for_others() -> None:
    peers = queue(TOPIC, OTHER)
    for number in range(100):
        add(peers, public(number))
    for _ in range(DIALS_PER_TOPIC):
        assert TOPIC in taken(peers).topics
    assert peers.next(0.0) is None
    add(peers, public(200), topic=OTHER)
    assert OTHER in taken(peers).topics


# --- asking whether they are there


def crowd(count: int = ASK_ABOVE + 1) -> PeerQueue:
    """Candidates who wait, each in a network of its own; other networks are dialled already."""
    peers = queue()
    for number in range(DIALS_PER_TOPIC):
        add(peers, public(1000 + number))
        taken(peers)
    for number in range(count):
        add(peers, public(number))
    return peers


def test_those_who_wait_are_asked_only_while_they_are_many() -> None:
    peers = crowd(ASK_ABOVE)
    assert peers.next_to_ask(0.0) is None
    add(peers, public(ASK_ABOVE))
    asked = peers.next_to_ask(0.0)
    assert asked is not None
    assert asked.state is State.WAITING
    peers.leave(TOPIC)
    assert peers.next_to_ask(0.0) is None


def test_those_who_come_later_are_asked_too() -> None:
    peers = crowd(ASK_ABOVE + 1)
    while peers.next_to_ask(0.0) is not None:
        pass
    add(peers, public(500))
    asked = peers.next_to_ask(1.0)
    assert asked is not None
    assert (asked.address, asked.asked) == (public(ASK_ABOVE), True), "one was left"
    asked = peers.next_to_ask(1.0)
    assert asked is not None
    assert asked.address == public(500)


def test_there_is_a_timer_as_long_as_somebody_is_to_be_asked() -> None:
    peers = queue(TOPIC, OTHER)
    for number in range(200):
        add(peers, public(number), topic=TOPIC if number % 2 else OTHER)
    while peers.next(0.0) is not None:
        pass
    while peers.next_to_ask(0.0) is not None:
        pass
    assert peers.get_timer(0.0) == LOOK_AGAIN_S


def test_who_has_answered_is_dialled_before_its_turn_and_once() -> None:
    peers = crowd(200)
    asked = [one for _ in range(60) if (one := peers.next_to_ask(0.0)) is not None]
    peers.replied(asked[-1])
    waiting = peers.waiting
    for one in list(peers._dialling):
        peers.greeted(one, 0.0)
    dialled = [taken(peers, 0.0) for _ in range(2)]
    assert asked[-1] in dialled
    assert peers.waiting == waiting - 2
    for one in dialled:
        peers.greeted(one, 0.0)
    while (candidate := peers.next(1.0)) is not None:
        assert candidate is not asked[-1]
        peers.greeted(candidate, 1.0)
    assert peers.waiting < waiting - 2


def test_who_answers_leaves_half_of_the_dials_to_others() -> None:
    peers = queue()
    for number in range(200):
        add(peers, public(number), source="liar")
    asked = {one for _ in range(60) if (one := peers.next_to_ask(0.0)) is not None}
    for one in asked:
        peers.replied(one)
    for number in range(200):
        add(peers, public(300 + number), source="honest")
    dialled = [taken(peers) for _ in range(DIALS_PER_TOPIC)]
    assert len(asked & set(dialled)) == 3 * DIALS_PER_TOPIC / 4
    assert sum(one.source == "honest" for one in dialled) == DIALS_PER_TOPIC / 4


def test_the_hopeless_keep_their_dials_whoever_answers() -> None:
    peers = queue()
    add(peers, ("198.51.100.1", 1))
    failed = taken(peers)
    peers.ended(failed, 0.0)
    for number in range(100):
        add(peers, public(number))
    while (asked := peers.next_to_ask(0.0)) is not None:
        peers.replied(asked)
    assert failed in [taken(peers, 10.0) for _ in range(PATIENT_EVERY)]


def test_a_network_is_not_dialled_at_many_places() -> None:
    peers = queue()
    for number in range(200):
        add(peers, public(number, per_block=200))
    for _ in range(DIALS_PER_BLOCK):
        taken(peers)
    assert peers.next(0.0) is None
    assert peers.get_timer(0.0) == LOOK_AGAIN_S
    add(peers, public(1000))
    assert taken(peers).address == public(1000)


def test_neighbours_are_not_limited_by_their_network() -> None:
    peers = queue()
    for number in range(3 * DIALS_PER_BLOCK):
        add(peers, (f"192.168.0.{number}", 1), source=None, local=True)
    assert len({taken(peers) for _ in range(3 * DIALS_PER_BLOCK)}) == 3 * DIALS_PER_BLOCK


def test_a_peer_that_is_also_a_neighbour_counts_as_one() -> None:
    peers = queue()
    add(peers, ("192.168.0.1", 1))
    add(peers, ("192.168.0.1", 1), source=None, local=True)
    candidate = taken(peers)
    assert candidate.local
    assert candidate.block is None
    peers.ended(candidate, 0.0)


def test_long_dials_are_overdue_only_while_others_wait_for_the_place() -> None:
    peers = queue()
    for number in range(DIALS_PER_TOPIC):
        add(peers, public(number))
    dialled = [taken(peers) for _ in range(DIALS_PER_TOPIC)]
    assert peers.overdue(60.0) == []
    add(peers, public(1000))
    assert peers.get_timer(0.0) == LOOK_AGAIN_S
    assert peers.overdue(CROWDED_S - 0.1) == []
    peers.connected(dialled[0], CROWDED_S / 2)
    assert set(peers.overdue(CROWDED_S)) == set(dialled[1:]), "the handshake has its own time"
    assert peers.overdue(1.4 * CROWDED_S) == []
    assert peers.overdue(1.5 * CROWDED_S) == [dialled[0]]
    assert set(peers.overdue(2 * CROWDED_S)) == set(dialled[1:]), "they are named again"


def test_few_places_are_crowded_sooner() -> None:
    peers = queue()
    for number in range(10):
        add(peers, public(number))
    dialled = [taken(peers) for _ in range(5)]
    assert peers.overdue(60.0) == []
    assert peers.get_timer(0.0, places=5) == CROWDED_S
    assert peers.overdue(CROWDED_S, places=5) == dialled


def test_who_has_rested_wants_a_place_too() -> None:
    peers = queue()
    add(peers, public(0))
    peers.ended(taken(peers), 0.0)
    for number in range(1, 6):
        add(peers, public(number))
        taken(peers)
    when = peers.get_timer(0.0, places=5)
    assert when is not None
    assert peers.overdue(when, places=5) == []
    assert peers.waiting == 1
    assert peers.get_timer(when, places=5) == CROWDED_S


def test_one_source_has_a_few_waiting() -> None:
    peers = queue()
    news = [add(peers, public(number)) for number in range(WAITING_PER_SOURCE_MAX + 10)]
    assert sum(news) == WAITING_PER_SOURCE_MAX
    assert add(peers, public(9999), source="another")


def test_a_full_queue_takes_newcomers_instead_of_those_with_many() -> None:
    peers = queue()
    add(peers, public(0), source="honest")
    for number in range(1, CANDIDATES_MAX):
        add(peers, public(number), source=number // WAITING_PER_SOURCE_MAX)
    assert len(peers) == CANDIDATES_MAX
    assert add(peers, public(CANDIDATES_MAX), source="late")
    assert len(peers) == CANDIDATES_MAX
    assert peers.get(public(0))
    assert peers.untried(TOPIC) == CANDIDATES_MAX


def test_nobody_is_asked_once_all_have_gone() -> None:
    peers = queue()
    for number in range(ASK_ABOVE + 2):
        add(peers, public(number))
    assert peers.next_to_ask(0.0) is not None
    assert peers.get_timer(0.0) is not None
    peers.leave(TOPIC)
    assert peers.get_timer(0.0) is None


def test_what_ends_twice_ends_once() -> None:
    peers = queue()
    add(peers)
    candidate = taken(peers)
    peers.ended(candidate, 0.0)
    peers.ended(candidate, 0.0)
    peers.greeted(candidate, 0.0)
    assert candidate.failures == 1
    assert candidate.state is State.RESTING
