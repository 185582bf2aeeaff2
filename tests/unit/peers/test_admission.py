"""The oldest who has not authenticated makes room."""

from __future__ import annotations

from hypermultifeed.peers.admission import HALF_OPEN_MAX, HALF_OPEN_PER_ADDRESS, Admission


def test_a_thousand_from_one_address() -> None:
    admission: Admission[int] = Admission()
    losers = [admission.admit(number, "192.0.2.1") for number in range(1000)]
    assert losers[:HALF_OPEN_PER_ADDRESS] == [None] * HALF_OPEN_PER_ADDRESS
    assert losers[HALF_OPEN_PER_ADDRESS:] == list(range(1000 - HALF_OPEN_PER_ADDRESS))
    assert admission.half_open == HALF_OPEN_PER_ADDRESS
    assert admission.dropped == 1000 - HALF_OPEN_PER_ADDRESS


def test_a_thousand_from_many_addresses() -> None:
    admission: Admission[int] = Admission()
    losers = [admission.admit(number, f"192.0.2.{number % 250}") for number in range(1000)]
    assert losers[HALF_OPEN_MAX:] == list(range(1000 - HALF_OPEN_MAX))
    assert admission.half_open == HALF_OPEN_MAX


def test_one_address_does_not_push_out_others_while_it_has_its_share() -> None:
    admission: Admission[str] = Admission()
    assert admission.admit("honest", "198.51.100.1") is None
    for number in range(1000):
        assert admission.admit(f"{number}", "192.0.2.1") != "honest"


def test_who_has_authenticated_keeps_the_place() -> None:
    admission: Admission[int] = Admission()
    admission.admit(-1, "192.0.2.1")
    admission.done(-1)
    assert -1 not in [admission.admit(number, "192.0.2.1") for number in range(1000)]


def test_who_has_gone_makes_room() -> None:
    admission: Admission[int] = Admission()
    for number in range(1000):
        assert admission.admit(number, "192.0.2.1") is None
        admission.done(number)
        admission.done(number)
    assert admission.half_open == 0
    assert not admission._by_address


def test_an_ipv6_network_counts_as_one_address() -> None:
    admission: Admission[int] = Admission()
    for number in range(HALF_OPEN_PER_ADDRESS):
        assert admission.admit(number, f"2001:db8::{number:x}") is None
    assert admission.admit(-1, "2001:db8:0:1::1") is None
    assert admission.admit(-2, "2001:db8::ffff") == 0
    assert admission.admit(-3, "fe80::1%eth0") is None
    assert admission.admit(-4, "no address") is None
