"""Pings that are sent once: which answers count, and what is forgotten."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from unittest.mock import patch

import pytest

from hypermultifeed.discovery import probes as module
from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.probes import PROBE_S, Probes

PEER, OTHER = Address("198.51.100.1", 1), Address("198.51.100.2", 2)


def nothing() -> None:
    """What is called for an answer."""


@pytest.fixture
def probes() -> Probes:
    return Probes(Random(1))


def test_an_answer_counts_once(probes: Probes) -> None:
    rid = probes.begin(PEER, nothing, 0.0)
    assert probes.match(rid, PEER, 1.0) is nothing
    assert probes.match(rid, PEER, 1.0) is None
    assert len(probes) == 0


def test_only_who_was_asked_may_answer_and_only_that(probes: Probes) -> None:
    rid = probes.begin(PEER, nothing, 0.0)
    assert probes.match(rid, OTHER, 0.0) is None
    assert probes.match(rid, Address(PEER.host, 2), 0.0) is None
    assert probes.match(rid ^ 1, PEER, 0.0) is None
    assert probes.match(rid, PEER, 0.0) is nothing


def test_one_rid_does_not_tell_the_next(probes: Probes) -> None:
    rids = [probes.begin(Address("198.51.100.1", port), nothing, 0.0) for port in range(1, 65)]
    steps = {later - earlier for earlier, later in pairwise(rids)}
    assert len(steps) > 32


def test_an_answer_may_come_too_late(probes: Probes) -> None:
    rid = probes.begin(PEER, nothing, 0.0)
    assert probes.match(rid, PEER, PROBE_S) is None


def test_what_was_not_answered_is_forgotten(probes: Probes) -> None:
    probes.begin(PEER, nothing, 0.0)
    probes.begin(OTHER, nothing, PROBE_S - 1)
    probes.begin(Address("198.51.100.3", 3), nothing, PROBE_S)
    assert len(probes) == 2


def test_a_second_probe_takes_the_place_of_the_first(probes: Probes) -> None:
    first = probes.begin(PEER, nothing, 0.0)
    second = probes.begin(PEER, print, 0.0)
    assert probes.match(first, PEER, 0.0) is None
    assert probes.match(second, PEER, 0.0) is print


def test_how_many_are_under_way_is_bounded(probes: Probes) -> None:
    with patch.object(module, "PROBES_MAX", 10):
        first = probes.begin(PEER, nothing, 0.0)
        for port in range(1, 15):
            probes.begin(Address("198.51.100.9", port), nothing, 0.0)
    assert len(probes) == 10
    assert probes.match(first, PEER, 0.0) is None
