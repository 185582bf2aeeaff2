"""`pkgstats serve` as its own process, and the other verbs meanwhile."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from click.testing import CliRunner

from pkgstats.cli import main
from pkgstats.cli.serve_plan import planned
from pkgstats.cli.serving import tell
from pkgstats.group import Group
from pkgstats.node import Node
from pkgstats.web.door import Door

from .test_cli_serve_plan import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMEOUT_S = 60

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")


class Serve:
    """A running `serve`."""

    def __init__(self, process: subprocess.Popen[str], told: dict[str, Any]) -> None:
        self.process = process
        self.told = told

    def end(self, number: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, errors


@contextmanager
def serve(folder: Path, *options: str, cwd: Path | None = None) -> Iterator[Serve]:
    words = ["serve", "--data", str(folder), "--json", "--port", "0", *options]
    with subprocess.Popen(
        [sys.executable, "-m", "pkgstats", *words],
        stdin=subprocess.DEVNULL,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line == "}\n":
                break
        try:
            yield Serve(process, json.loads("".join(lines)))
        finally:
            process.kill()


def invoke(*words: str) -> str:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_pages_and_other_verbs_answer_while_it_runs_and_changes_go_through_it(
    filled: Path,
) -> None:
    data = ("--data", str(filled))
    network = ("--peer", "127.0.0.1:9", "--peer-host", "127.0.0.1")
    with serve(filled, *network, "--write") as running:
        address = running.told["pages"]
        with httpx.Client(trust_env=False) as http:
            found = http.get(f"{address}/api/search?q=left-pad").json()["results"]
            assert found[0]["name"] == "left-pad"
            assert http.get(f"{address}/control/peers").status_code == 404
            door = Door.of(filled)
            assert door is not None
            assert http.get(f"{door.address}/control/peers").status_code == 403
        assert "left-pad" in invoke("search", *data, "left-pad")
        assert running.told["listens"][0] in invoke("peers", *data)
        report = json.loads(invoke("peers", *data, "--json"))
        assert len(report["topics"]) == 5
        listed = json.loads(invoke("group", "admit", *data, "--json", "ab" * 32))
        assert listed["members"][-1]["key"] == "ab" * 32
        assert listed["members"][0]["key"] == running.told["writer"]
        listed = json.loads(invoke("group", "revoke", *data, "--json", "--all", "abab"))
        assert listed["members"][-1]["until"] == {}
        assert json.loads(invoke("rebuild", *data, "--json"))["packages"] == 5
        assert Door.of(filled) is not None
        code, errors = running.end(signal.SIGINT)
    assert code == 130
    assert "Traceback" not in errors
    assert Door.of(filled) is None


def test_where_pages_are_and_where_peers_reach_it_are_said_apart(filled: Path) -> None:
    local = ("127.0.0.1", 0)
    with socket.create_server(local) as one, socket.create_server(local) as other:
        pages, peers = one.getsockname()[1], other.getsockname()[1]
    here = ("--host", "127.0.0.1", "--port", str(pages))
    network = ("--no-dht", "--no-lan", "--peer-host", "127.0.0.1", "--peer-port", str(peers))
    with serve(filled, *here, *network) as running:
        assert running.told["pages"] == f"http://127.0.0.1:{pages}"
        assert running.told["listens"] == [f"127.0.0.1:{peers}"]


async def test_it_tells_people_where_to_look_and_what_it_does(
    filled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    group = Group.find(filled)
    assert group is not None
    async with Node(filled, group) as one:
        tell(one, planned(**OPTIONS), "http://127.0.0.1:9", as_json=False)
    told = " ".join(capsys.readouterr().err.split())
    assert f"group {group.key.hex()} (yours)" in told
    assert "pages http://127.0.0.1:9 for this machine alone" in told
    assert "peers none: --offline crawls nothing" in told
    assert "Open the pages in a browser." in told
    assert "Ctrl-C ends this and the pages." in told


def test_sigterm_ends_it_in_order(filled: Path) -> None:
    with serve(filled, "--offline", "--search-only") as running:
        assert running.told["listens"] == []
        code, errors = running.end(signal.SIGTERM)
    assert (code, errors) == (0, "")
    assert Door.of(filled) is None


def test_a_second_one_says_that_the_folder_is_in_use(filled: Path) -> None:
    with serve(filled, "--offline") as running:
        words = ["serve", "--data", str(filled), "--offline", "--port", "0"]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 4
        assert "end that (Ctrl-C there)" in result.stderr
        port = running.told["pages"].rpartition(":")[2]
        result = CliRunner().invoke(main, [*words[:-1], port])
        assert result.exit_code == 1
        assert "another program has that port" in result.stderr


def test_a_folder_stays_with_its_group(filled: Path) -> None:
    words = ["serve", "--data", str(filled), "--group", "ab" * 32, "--port", "0"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert "choose another folder" in result.stderr
