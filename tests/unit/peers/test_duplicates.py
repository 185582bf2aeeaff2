"""Both ends of several connections come to one verdict; devices that share a key stay apart."""

from __future__ import annotations

import itertools

import pytest

from hypermultifeed.peers.duplicates import CONNECTIONS_PER_KEY, Duplicates, Verdict

SMALL, LARGE = b"\x01" * 32, b"\x02" * 32
HERE, THERE = ("192.0.2.1", 4000), ("192.0.2.2", 5000)
"""Where the peers with the small and the large key listen."""


class Side:
    """One end: what it thinks of the connections it has."""

    def __init__(self, own: bytes, remote: bytes) -> None:
        self.own, self.remote = own, remote
        self.duplicates: Duplicates[str] = Duplicates()
        self.closed: set[str] = set()

    def identify(self, name: str, *, initiator: bool, address: tuple[str, int]) -> Verdict:
        judgement = self.duplicates.identify(
            name, self.own, self.remote, initiator=initiator, address=address
        )
        self.closed |= set(judgement.losers)
        if judgement.verdict is Verdict.DUPLICATE:
            self.closed.add(name)
        return judgement.verdict


def test_one_connection_is_kept() -> None:
    assert Side(SMALL, LARGE).identify("a", initiator=True, address=THERE) is Verdict.KEEP


@pytest.mark.parametrize("orders", list(itertools.product([False, True], repeat=2)))
def test_both_dialled_each_other(orders: tuple[bool, bool]) -> None:
    """Whichever handshake ends first at either end, the smaller key's connection stays."""
    small, large = Side(SMALL, LARGE), Side(LARGE, SMALL)
    calls = {
        small: [("from small", True, THERE), ("from large", False, (THERE[0], 50001))],
        large: [("from small", False, (HERE[0], 50000)), ("from large", True, HERE)],
    }
    for (side, connections), backwards in zip(calls.items(), orders, strict=True):
        for name, initiator, address in connections[:: -1 if backwards else 1]:
            side.identify(name, initiator=initiator, address=address)
    assert small.closed == set()  # it did not dial the loser
    assert large.closed == {"from large"}


def test_the_side_that_was_dialled_waits_for_the_other_to_close() -> None:
    small = Side(SMALL, LARGE)
    small.identify("from small", initiator=True, address=THERE)
    verdict = small.identify("from large", initiator=False, address=(THERE[0], 50001))
    assert verdict is Verdict.CONTESTED


def test_of_two_that_the_smaller_key_dialled_the_newer_stays() -> None:
    small = Side(SMALL, LARGE)
    small.identify("old", initiator=True, address=THERE)
    other_name = ("198.51.100.2", THERE[1])
    assert small.identify("new", initiator=True, address=other_name) is Verdict.KEEP
    assert small.closed == {"old"}


def test_of_two_that_the_larger_key_dialled_the_older_stays() -> None:
    large = Side(LARGE, SMALL)
    large.identify("old", initiator=True, address=HERE)
    other_name = ("198.51.100.1", HERE[1])
    assert large.identify("new", initiator=True, address=other_name) is Verdict.DUPLICATE
    assert large.closed == {"new"}


def test_a_duplicate_names_the_connection_that_stays() -> None:
    duplicates: Duplicates[str] = Duplicates()
    duplicates.identify("in", LARGE, SMALL, initiator=False, address=(HERE[0], 50000))
    judgement = duplicates.identify("out", LARGE, SMALL, initiator=True, address=HERE)
    assert judgement.verdict is Verdict.DUPLICATE
    assert judgement.winner == "in"


def test_ourselves() -> None:
    side = Side(SMALL, SMALL)
    assert side.identify("out", initiator=True, address=HERE) is Verdict.OURSELVES
    assert side.identify("in", initiator=False, address=HERE) is Verdict.OURSELVES
    assert len(side.duplicates) == 0


@pytest.mark.parametrize("own", [SMALL, LARGE])
def test_two_devices_with_one_key_are_kept(own: bytes) -> None:
    """Whoever dialled, and also behind one router, as long as it cannot be one process."""
    remote = LARGE if own is SMALL else SMALL
    one, other = ("203.0.113.1", 4000), ("198.51.100.9", 4711)
    for first, second in [
        ((True, one), (True, other)),
        ((True, one), (True, (one[0], 4711))),
        ((True, one), (False, (other[0], 50000))),
        ((False, (one[0], 50000)), (True, other)),
        ((False, (one[0], 50000)), (False, (one[0], 50001))),
    ]:
        side = Side(own, remote)
        assert side.identify("1", initiator=first[0], address=first[1]) is Verdict.KEEP
        assert side.identify("2", initiator=second[0], address=second[1]) is Verdict.KEEP
        assert side.closed == set()


def test_one_key_takes_a_few_places_at_most() -> None:
    side = Side(LARGE, SMALL)
    verdicts = [
        side.identify(f"{port}", initiator=False, address=("192.0.2.1", port))
        for port in range(50000, 50010)
    ]
    assert verdicts.count(Verdict.KEEP) == CONNECTIONS_PER_KEY
    assert verdicts.count(Verdict.TOO_MANY) == 10 - CONNECTIONS_PER_KEY


def test_what_is_closed_is_forgotten() -> None:
    side = Side(LARGE, SMALL)
    side.identify("in", initiator=False, address=(HERE[0], 50000))
    side.duplicates.closed("in", SMALL)
    side.duplicates.closed("in", SMALL)
    assert len(side.duplicates) == 0
    assert side.identify("out", initiator=True, address=HERE) is Verdict.KEEP
    assert len(side.duplicates) == 1


def test_a_loser_that_closes_late_takes_nothing_with_it() -> None:
    small = Side(SMALL, LARGE)
    small.identify("old", initiator=True, address=THERE)
    small.identify("new", initiator=True, address=("198.51.100.2", THERE[1]))
    small.duplicates.closed("old", LARGE)
    assert len(small.duplicates) == 1
