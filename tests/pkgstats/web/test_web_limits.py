from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.web.limits import (
    ANSWER_PRICE,
    BURST,
    PAGE_PRICE,
    RATE,
    SEARCH_PRICE,
    UNKNOWN,
    Limits,
    client_of,
)


def test_a_burst_and_then_as_much_as_flows_in() -> None:
    limits = Limits(rate=2, burst=10)
    assert [limits.take("a", 5, 0.0) for _ in range(3)] == [0, 0, 2.5]
    assert limits.take("a", 5, 2.0) == 0.5  # what was refused took nothing
    assert limits.take("a", 5, 2.5) == 0
    assert limits.take("a", 10, 1000.0) == 0  # a bucket holds no more than a burst
    assert limits.take("a", 1, 1000.0) == 0.5


def test_clients_do_not_pay_for_each_other() -> None:
    limits = Limits(rate=1, burst=1)
    assert limits.take("a", 1, 0.0) == 0
    assert limits.take("a", 1, 0.0) == 1
    assert limits.take("b", 1, 0.0) == 0


def test_the_table_does_not_grow() -> None:
    limits = Limits(rate=1, burst=2, clients_max=3)
    for number in range(100):
        limits.take("busy", 0, number)
        limits.take(str(number), 1, number)
    assert len(limits) == 3
    assert limits.take("busy", 2, 100.0) == 0


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 20)), max_size=50))
def test_nobody_ever_gets_more_than_the_burst_and_what_flows_in(
    asked: list[tuple[float, float]],
) -> None:
    limits = Limits(rate=3, burst=20)
    now = taken = 0.0
    for seconds, price in asked:
        now += seconds
        if not limits.take("a", price, now):
            taken += price
    assert taken <= 20 + 3 * now + 1e-6


def test_a_person_is_never_refused() -> None:
    limits = Limits()
    for number in range(60):  # a search a second, suggestions for each letter, the pages found
        for price in [SEARCH_PRICE] * 2 + [PAGE_PRICE + ANSWER_PRICE] * 4:
            assert limits.take("a", price, float(number)) == 0
    assert BURST >= 10 * SEARCH_PRICE
    assert RATE >= SEARCH_PRICE


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("127.0.0.1", ""),
        ("127.9.9.9", ""),
        ("::1", ""),
        ("::ffff:127.0.0.1", ""),
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("2001:db8:1:3::9", "2001:db8:1:3::"),
        ("fe80::1%eth0", "fe80::"),
        ("", UNKNOWN),
        ("localhost", UNKNOWN),
        ("x" * 9999, UNKNOWN),
    ],
)
def test_who_counts_as_one_client(address: str, client: str) -> None:
    assert client_of(address) == client
