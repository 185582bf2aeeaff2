"""What is said about a network, to a person."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from hypermultifeed.cli.network_view import (
    announced_line,
    network_view,
    nobody_text,
    search_line,
    span,
)
from hypermultifeed.cli.session import failure_text
from hypermultifeed.network.dht import DEFAULT_BOOTSTRAP

if TYPE_CHECKING:
    from hypermultifeed.cli.network_view import NetworkFacts, PeerFacts

PEER: PeerFacts = {
    "address": "192.0.2.1:4711",
    "key": "ab" * 32,
    "dialled": True,
    "local": False,
    "shares": True,
    "connected_s": 61.0,
    "bytes_received": 1_500_000,
    "bytes_sent": 12,
    "received_per_s": 2000.4,
    "sent_per_s": 0.0,
}


def facts(**changes: Any) -> NetworkFacts:
    made: Any = {
        "command": "share",
        "process": 4711,
        "running_s": 3.0,
        "topic": "07" * 32,
        "public_key": "08" * 32,
        "listening": ["0.0.0.0:4711", "[::]:4711"],
        "dht": {
            "nodes": 3,
            "bootstrap": ["a.example:1"],
            "public_address": "203.0.113.9:4711",
            "error": None,
        },
        "lan": {"interfaces": ["eth0"]},
        "searched": True,
        "found": 0,
        "peers": [],
        "failures": [],
        "bytes_received": 0,
        "bytes_sent": 0,
        "feeds": 2,
        "blocks": 10,
        "stored": 7,
    }
    made.update(changes)
    result: NetworkFacts = made
    return result


NO_DHT = {"nodes": 0, "bootstrap": ["a.example:1"], "public_address": None, "error": None}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "DHT 3 nodes, LAN on, 0 peers"),
        ({"dht": None, "found": 3, "peers": [PEER]}, "LAN on, 3 found, 1 peer"),
        ({"lan": {"interfaces": []}}, "DHT 3 nodes, LAN without network, 0 peers"),
        ({"dht": None, "lan": None}, "0 peers"),
    ],
)
def test_the_search_in_one_line(changes: dict[str, Any], line: str) -> None:
    assert search_line(facts(**changes)) == line


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "in the DHT (3 nodes) and in the local network (eth0)"),
        ({"dht": None}, "in the local network (eth0)"),
        ({"dht": None, "lan": None}, "nowhere: peers need the address"),
        (
            {"dht": NO_DHT},
            "in the local network (eth0); no node of the DHT answers (a.example:1)",
        ),
    ],
)
def test_where_one_can_be_found(changes: dict[str, Any], line: str) -> None:
    assert announced_line(facts(**changes)) == line


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "is `hypermultifeed share` running with this key?"),
        ({"dht": NO_DHT}, "hypermultifeed bootstrap"),
        ({"dht": NO_DHT}, "a.example:1"),
        ({"found": 2}, "firewall"),
        ({"peers": [PEER]}, "hypermultifeed key --topic"),
        ({"lan": {"interfaces": []}}, "--loopback"),
        (
            {"failures": [{"address": "192.0.2.1:1", "error": "no [ERR_X]", "ago_s": 1.0}]},
            "192.0.2.1:1 failed: no [ERR_X]",
        ),
    ],
)
def test_why_there_is_nobody_and_what_to_do(changes: dict[str, Any], said: str) -> None:
    assert said in nobody_text(facts(**changes), 30.0)


@pytest.mark.parametrize(
    ("code", "message", "text"),
    [
        ("ERR_TIMEOUT", "silence", "silence [ERR_TIMEOUT]"),
        ("ConnectionRefusedError", "[Errno 111] Connect call failed", "nobody listens there"),
        ("OSError", "[Errno 113] No route to host", "No route to host"),
        ("TimeoutError", "", "no answer"),
        ("OSError", "", "OSError"),
    ],
)
def test_why_a_connection_failed(code: str, message: str, text: str) -> None:
    assert failure_text(code, message) == text


def test_of_the_default_nodes_nobody_promises_anything() -> None:
    dht = {**NO_DHT, "bootstrap": list(DEFAULT_BOOTSTRAP)}
    assert "the old public ones may be gone" in nobody_text(facts(dht=dht), 30.0)
    assert "the old public ones may be gone" in shown(dht=dht)


def shown(**changes: Any) -> str:
    console = Console(file=io.StringIO(), width=160, color_system=None)
    console.print(network_view(facts(**changes)))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_everything_on_one_screen() -> None:
    text = shown(peers=[PEER], found=2)
    for words in (
        "share, process 4711, 3 s",
        "07" * 32,
        "2 feeds, 7 of 10 blocks here",
        "0.0.0.0:4711",
        "3 nodes known, we are seen as 203.0.113.9:4711",
        "on eth0",
        "1 connected, 2 found",
        "→ 192.0.2.1:4711  abababab  yes",
        "1 min 1 s",
        "1.5 MB",
        "2.0 kB    0 B",
    ):
        assert words in text
    assert "[::]" not in text


def test_what_is_off_or_went_wrong() -> None:
    failures = [{"address": f"192.0.2.{n}:1", "error": "a\x1b[2J", "ago_s": n} for n in range(5)]
    text = shown(dht={**NO_DHT, "nodes": 1, "error": "a shrug"}, lan=None, failures=failures)
    assert "1 node known; a shrug" in text
    assert "LAN        off" in text
    assert "192.0.2.1:1" not in text  # only the latest
    assert "192.0.2.4:1, 4 s ago: a\\x1b[2J" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3600, "1 h 0 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_time_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text
