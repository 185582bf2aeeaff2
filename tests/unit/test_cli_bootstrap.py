"""The verb `bootstrap`, as a real process and in its parts."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import ifaddr
import pytest
from rich.console import Console
from rich.live import Live

from hypermultifeed.cli import bootstrap as verb
from hypermultifeed.errors import BootstrapError
from hypermultifeed.network.dht import DhtNode, DhtNodeStats

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = [sys.executable, "-m", "hypermultifeed", "bootstrap", "--host", "127.0.0.1"]
TIMEOUT_S = 60

not_on_windows = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")


@contextmanager
def started(*options: str) -> Iterator[subprocess.Popen[str]]:
    """The verb, until the block ends it with Ctrl-C."""
    with subprocess.Popen(
        [*COMMAND, "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                _, said = process.communicate(timeout=TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert process.returncode == 130, said
    assert "Traceback" not in said


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def event_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(line_of(process))
    return event


async def announced(address: str) -> None:
    async with await DhtNode.listen("127.0.0.1", bootstrap=[address]) as node:
        await node.announce(bytes(32)).finished()


@not_on_windows
def test_others_begin_with_it() -> None:
    with started("--json") as process:
        listening = event_of(process)
        address = f"127.0.0.1:{listening['port']}"
        assert listening == {
            "event": "listening",
            "host": "127.0.0.1",
            "port": listening["port"],
            "addresses": [address],
        }
        status = event_of(process)
        assert status.pop("datagrams_per_s") >= 0
        assert status == {"event": "status", "nodes": 0, "records": 0}
        asyncio.run(announced(address))
        status = event_of(process)
        assert (status["nodes"], status["records"]) == (1, 1)


@not_on_windows
def test_what_it_prints_can_be_given_to_a_second_one() -> None:
    with started() as first:
        option, address = line_of(first).split()
        with started("--json", option, address) as second:
            assert event_of(second)["event"] == "listening"
            while event_of(second)["nodes"] != 1:
                pass


@not_on_windows
def test_the_port_is_taken() -> None:
    with started() as first:
        port = line_of(first).rpartition(":")[2]
        result = subprocess.run(
            [*COMMAND, "--port", port],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    assert result.returncode == 1
    assert "in use" in result.stderr
    assert "Traceback" not in result.stderr


def test_other_nodes_that_are_silent_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    async def bootstrapped() -> None:
        raise BootstrapError("no bootstrap node answered (a:1)")

    asyncio.run(verb.warn(SimpleNamespace(bootstrapped=bootstrapped)))  # type: ignore[arg-type]
    assert capsys.readouterr().err == "no bootstrap node answered (a:1); trying on\n"


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["127.0.0.1", "10.0.0.1", ("fe80::1", 0, 2), "192.168.0.1"], ["10.0.0.1", "192.168.0.1"]),
        (["127.0.0.1", ("::1", 0, 0)], ["127.0.0.1"]),
    ],
)
def test_addresses_of_this_machine(
    hosts: list[Any], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    adapters = [ifaddr.Adapter("a", "a", [ifaddr.IP(host, 24, "a")]) for host in hosts]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)
    assert verb.own_hosts() == expected


def stats(**counts: int) -> DhtNodeStats:
    zero = dict.fromkeys(DhtNodeStats.__dataclass_fields__, 0)
    return DhtNodeStats(**zero | counts)


def test_figures_on_a_terminal() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80)
    with Live(console=console, auto_refresh=False) as live:
        verb.LiveFigures(live).show(stats(nodes=1, records=2), 1234.4)
    assert "1 node, 2 records, 1,234 datagrams/s" in out.getvalue()


def test_figures_as_json_only_when_they_change(capsys: pytest.CaptureFixture[str]) -> None:
    figures = verb.JsonFigures()
    for nodes in (0, 0, 1, 1):
        figures.show(stats(nodes=nodes), 2.6)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"event": "status", "nodes": nodes, "records": 0, "datagrams_per_s": 3} for nodes in (0, 1)
    ]
