"""Which addresses are dialled and let in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.network.address_policy import AddressPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

ANYWHERE = "0.0.0.0"  # noqa: S104 - said, not bound


def policy(
    *, allow_loopback: bool = False, address_filter: Callable[[str, int], bool] | None = None
) -> AddressPolicy:
    return AddressPolicy(allow_loopback=allow_loopback, address_filter=address_filter)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_let_in_only_if_it_is_allowed(host: str) -> None:
    assert not policy().allows_in(host, 1)
    assert policy(allow_loopback=True).allows_in(host, 1)


@pytest.mark.parametrize(
    ("host", "local", "allowed"),
    [
        ("198.51.100.1", False, True),
        ("198.51.100.1", True, False),
        ("192.168.3.4", True, True),
        ("127.0.0.9", False, False),
        ("255.255.255.255", False, False),
        ("224.0.0.1", False, False),
        (ANYWHERE, False, False),
    ],
)
def test_what_others_name(host: str, local: bool, allowed: bool) -> None:
    assert policy().allows_dial(Address(host, 4711), local=local) is allowed


def test_we_are_not_our_own_peer() -> None:
    ours = policy(allow_loopback=True)
    ours.listens([(ANYWHERE, 4711), Address("192.168.0.7", 4711), None])
    ours.public = ("198.51.100.1", 4712)
    for host, port in [("192.168.0.7", 4711), ("127.0.0.1", 4711), ("198.51.100.1", 4712)]:
        assert not ours.allows_dial(Address(host, port), local=False)
    assert ours.allows_dial(Address("198.51.100.1", 4711), local=False)
    assert ours.allows_dial(Address("127.0.0.1", 4712), local=False)


def test_the_user_has_the_last_word_in_both_directions() -> None:
    asked: list[tuple[str, int]] = []

    def rule(host: str, port: int) -> bool:
        asked.append((host, port))
        return host != "198.51.100.1"

    ours = policy(address_filter=rule)
    assert not ours.allows_dial(Address("198.51.100.1", 1), local=False)
    assert ours.allows_dial(Address("198.51.100.2", 1), local=False)
    assert not ours.allows_in("198.51.100.1", 2)
    assert ours.allows_in("198.51.100.2", 2)
    assert asked == [(f"198.51.100.{n}", port) for port in (1, 2) for n in (1, 2)]


def test_a_rule_that_fails_allows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    ours = policy(address_filter=lambda host, port: 1 / 0 > 0)
    assert not ours.allows("198.51.100.1", 1)
    assert "address filter failed" in caplog.text
