"""What the options of verbs that find peers mean, alone and together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from hypermultifeed.cli.network_options import (
    NetworkOptions,
    network_options,
    only_these_peers,
    written,
)

if TYPE_CHECKING:
    from click.testing import Result


def invoked(*arguments: str) -> tuple[Result, NetworkOptions | None]:
    got: list[NetworkOptions] = []

    @click.command()
    @network_options
    def verb(network: NetworkOptions) -> None:
        got.append(network)

    result = CliRunner().invoke(verb, arguments)
    return result, got[0] if got else None


def parsed(*arguments: str) -> NetworkOptions:
    result, options = invoked(*arguments)
    assert options is not None, result.output
    return options


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BOOTSTRAP", "DHT", "LAN", "LOOPBACK"):
        monkeypatch.delenv(f"HYPERMULTIFEED_{name}", raising=False)


def test_without_options_everything_is_searched() -> None:
    options = parsed()
    assert options == NetworkOptions(
        peers=[],
        dht=True,
        lan=True,
        bootstrap=None,
        host="0.0.0.0",  # noqa: S104
        port=0,
        loopback=False,
        only=[],
        excluded=[],
        peers_max=24,
    )
    assert options.searches


def test_named_peers_are_all_unless_more_is_asked_for() -> None:
    options = parsed("--peer", "example.org:1", "-p", "[2001:db8::1]:2")
    assert options.peers == [("example.org", 1), ("2001:db8::1", 2)]
    assert not options.searches
    assert not options.loopback
    assert parsed("--peer", "a:1", "--lan").lan
    assert not parsed("--peer", "a:1", "--lan").dht
    assert only_these_peers(options.peers) == options


@pytest.mark.parametrize(
    "arguments",
    [
        ("--peer", "127.0.0.1:1"),
        ("--peer", "localhost:1"),
        ("--peer", "[::1]:1"),
        ("--host", "127.0.0.1"),
        ("--loopback",),
    ],
)
def test_who_names_a_loopback_address_means_it(arguments: tuple[str, ...]) -> None:
    assert parsed(*arguments).loopback
    assert not parsed(*arguments, "--no-loopback").loopback


def test_the_environment_sets_what_is_the_same_for_every_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HYPERMULTIFEED_BOOTSTRAP", "10.0.0.1:49737 node.example:1")
    monkeypatch.setenv("HYPERMULTIFEED_LAN", "0")
    monkeypatch.setenv("HYPERMULTIFEED_LOOPBACK", "1")
    options = parsed()
    assert options.bootstrap == ["10.0.0.1:49737", "node.example:1"]
    assert (options.dht, options.lan, options.loopback) == (True, False, True)
    assert parsed("--lan").lan
    assert parsed("--bootstrap", "a:1").bootstrap == ["a:1"]


@pytest.mark.parametrize(
    ("arguments", "host", "allowed"),
    [
        ((), "203.0.113.1", True),
        (("--only", "10.0.0.0/8"), "10.1.2.3", True),
        (("--only", "10.0.0.0/8"), "::ffff:10.1.2.3", True),
        (("--only", "10.0.0.0/8"), "11.1.2.3", False),
        (("--only", "10.0.0.0/8"), "2001:db8::1", False),
        (("--only", "10.0.0.0/8", "--only", "2001:db8::/32"), "2001:db8::1", True),
        (("--only", "10.0.0.0/8", "--not", "10.1.0.0/16"), "10.1.2.3", False),
        (("--not", "203.0.113.7"), "203.0.113.7", False),
        (("--not", "203.0.113.7"), "203.0.113.8", True),
        (("--not", "fe80::/10"), "fe80::1%eth0", False),
        (("--only", "10.0.0.0/8"), "named.example", True),
    ],
)
def test_the_address_filter(arguments: tuple[str, ...], host: str, allowed: bool) -> None:
    assert parsed(*arguments).allows(host, 1) is allowed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--peer", "nobody"), "HOST:PORT"),
        (("--bootstrap", ":1"), "HOST:PORT"),
        (("--only", "10.0.0.0/33"), "write it like 10.0.0.0/8"),
        (("--not", "example.org"), "write it like 10.0.0.0/8"),
        (("--port", "65536"), "0<=x<=65535"),
        (("--peers-max", "0"), "x>=1"),
    ],
)
def test_what_is_no_option(arguments: tuple[str, ...], said: str) -> None:
    result, options = invoked(*arguments)
    assert options is None
    assert result.exit_code == 2
    assert said in result.output


def test_addresses_are_written_as_they_are_read() -> None:
    assert written(("::1", 2)) == "[::1]:2"
    assert written(("a", 1)) == "a:1"
