"""Verbs that talk to peers, as real processes over loopback, with a DHT of their own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Self

import pytest
from click.testing import CliRunner

from hypermultifeed.cli import main, running
from hypermultifeed.cli.asking import asked
from hypermultifeed.cli.control import FILE_NAME
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.replication.uploads import Uploads
from hypermultifeed.storage import memory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from hypermultifeed.wire.messages import Request

COMMAND = [sys.executable, "-m", "hypermultifeed"]
TIMEOUT_S = 60

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")


@pytest.fixture(scope="module", autouse=True)
def dht() -> Iterator[str]:
    """The first node of a private DHT, which all commands begin with; the LAN is left alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYPERMULTIFEED_LAN", "0")
        patch.setenv("HYPERMULTIFEED_LOOPBACK", "1")
        patch.setenv("PYTHONUNBUFFERED", "1")
        arguments = ["bootstrap", "--host", "127.0.0.1", "--port", "0", "--json"]
        with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            address = "{host}:{port}".format(**json.loads(process.stdout.readline()))
            patch.setenv("HYPERMULTIFEED_BOOTSTRAP", address)
            yield address
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=TIMEOUT_S)


def run(folder: Path, *arguments: str, stdin: str = "", code: int = 0) -> str:
    """One command to its end; its standard output, or its errors if it should fail.

    It runs in this process, because starting another takes longer than all it does.
    """
    result = CliRunner().invoke(main, ["-d", str(folder), *arguments], input=stdin)
    assert result.exit_code == code, result.output
    return result.stderr if code else result.stdout


def multifeed(folder: Path, *lines: str, writer: str = "local") -> str:
    """A multifeed with one feed; its key."""
    run(folder, "create")
    run(folder, "append", "--writer", writer, stdin="".join(f"{line}\n" for line in lines))
    return run(folder, "key").strip()


@contextmanager
def started(
    folder: Path, *arguments: str, by: int = signal.SIGINT, code: int = 130
) -> Iterator[subprocess.Popen[str]]:
    """A command that runs on until the block ends it, with Ctrl-C unless told otherwise."""
    with subprocess.Popen(
        [*COMMAND, "-d", str(folder), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(by)
            try:
                _, errors = process.communicate(timeout=TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert process.returncode == code, errors
    assert "Traceback" not in errors


class Share:
    """A running `share --json` that can be found."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.said: list[dict[str, Any]] = []
        self._process = process
        self.address = "127.0.0.1:{port}".format(**self.event("listening"))
        self.announced = self.event("announced")

    def event(self, kind: str) -> dict[str, Any]:
        """Wait for the next event of a kind."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event: dict[str, Any] = json.loads(line)
            self.said.append(event)
            if event["event"] == kind:
                return event
        raise AssertionError(f"share ended without saying {kind}")


@contextmanager
def shared(folder: Path, *options: str, **ending: int) -> Iterator[Share]:
    with started(folder, "share", "--json", *options, **ending) as process:
        yield Share(process)


def feeds(folder: Path) -> dict[str, tuple[int, int]]:
    """Key to (length, stored)."""
    facts = [json.loads(line) for line in run(folder, "feeds", "--json").splitlines()]
    return {fact["key"]: (fact["length"], fact["stored"]) for fact in facts}


def strays(folder: Path) -> list[str]:
    """Files that JavaScript would not know."""
    return [file.name for file in folder.iterdir() if file.name.startswith(".")]


# --- by key alone


def test_clone_and_sync_with_nothing_but_the_key(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    key = multifeed(one, "a", "b")
    with shared(one) as share:
        assert share.announced["dht"]["nodes"] == 1
        fact = json.loads(run(two, "clone", "--json", "-", stdin=key))
        assert (fact["peers"], fact["new_blocks"], fact["missing_blocks"]) == (1, 2, 0)
        share.event("left")
        run(two, "append", "--writer", "two", stdin="from two\n")
        run(one, "append", stdin="c\n")
        fact = json.loads(run(two, "sync", "--json"))
        assert fact == {
            "peers": 1,
            "feeds": 2,
            "new_feeds": 0,
            "new_blocks": 1,
            "missing_blocks": 0,
        }
        share.event("left")
        assert key not in json.dumps(share.said)
    assert run(two, "cat") == "a\nb\nc\nfrom two\n"
    assert feeds(one) == feeds(two)
    assert run(one, "doctor").endswith("Nothing to mend.\n")
    assert strays(one) == strays(two) == []


def test_a_clone_passes_on_what_it_got(tmp_path: Path) -> None:
    one, two, three = tmp_path / "one", tmp_path / "two", tmp_path / "three"
    key = multifeed(one, *map(str, range(1000)))
    with shared(one):
        run(two, "clone", key)
    with shared(two):
        run(three, "clone", key)
    assert feeds(three) == feeds(one)


def test_two_syncs_meet_while_they_run(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    key = multifeed(one, "a")
    run(two, "create", "--key", "-", stdin=key)
    with started(one, "sync", code=0) as process:
        run(two, "sync")
        process.wait(TIMEOUT_S)
    assert run(two, "cat") == "a\n"


def test_nobody_has_that_key(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    errors = run(folder, "clone", "--wait", "0.5", "07" * 32, code=7)
    assert "no peer within 0.5 s: DHT 1 node, 0 peers" in errors
    assert "hypermultifeed share" in errors
    assert "07" * 32 not in errors
    assert not folder.exists()


def test_a_bootstrap_node_that_is_not_there(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        options = ("--bootstrap", address, "--wait", "0.5")
        errors = run(tmp_path / "one", "clone", *options, "07" * 32, code=7)
    assert f"no node of the DHT answers ({address})" in errors
    assert "hypermultifeed bootstrap" in errors


# --- by address


def test_clone_and_sync_by_address(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    key = multifeed(one, "a")
    with shared(one, "--no-dht") as share:
        run(two, "clone", "-", "--peer", share.address, stdin=key)
        run(one, "append", stdin="b\n")
        run(two, "sync", "--peer", share.address)
    assert run(two, "cat") == "a\nb\n"


def test_a_peer_without_that_multifeed(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    multifeed(one, "secret")
    with shared(one) as share:
        options = ("--peer", share.address, "--wait", "0.5")
        errors = run(two, "clone", "07" * 32, *options, code=7)
    assert "connected to 1 peer" in errors
    assert "compare what `hypermultifeed key --topic`" in errors
    assert "07" * 32 not in errors
    assert not two.exists()


def test_nobody_at_that_address(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    folder = tmp_path / "one"
    errors = run(folder, "clone", "07" * 32, "--peer", f"127.0.0.1:{port}", code=7)
    assert f"cannot connect to 127.0.0.1:{port}" in errors
    assert not folder.exists()
    run(folder, "create")
    for verb in (["sync"], ["tail", "--follow"]):
        errors = run(folder, *verb, "--peer", f"127.0.0.1:{port}", code=7)
        assert f"cannot connect to 127.0.0.1:{port}" in errors


def test_networks_that_are_excluded(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    key = multifeed(one, "a")
    with shared(one, "--only", "10.0.0.0/8") as share:
        run(two, "clone", key, "--peer", share.address, "--wait", "0.5", code=7)
    with shared(one):
        run(two, "clone", key, "--not", "127.0.0.0/8", "--wait", "0.5", code=7)
        run(two, "clone", key, "--only", "127.0.0.0/8")


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    multifeed(one)
    multifeed(two)
    with shared(one) as share:
        port = share.address.partition(":")[2]
        errors = run(two, "share", "--port", port, code=1)
    assert "in use" in errors
    assert "choose another with --port" in errors
    assert strays(two) == []


# --- beside a command that has the folder open


def test_other_verbs_while_sharing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    key = multifeed(one, "a")
    with shared(one):
        fact = json.loads(run(one, "append", "--json", stdin="b\nc\n"))
        assert (fact["start"], fact["length"]) == (1, 3)
        run(one, "append", "--writer", "other", stdin="d\n")
        assert run(one, "key").strip() == key
        assert run(one, "cat") == "a\nb\nc\nd\n"
        assert run(one, "cat", "local", "--start", "1") == "b\nc\n"
        assert run(one, "tail", "-n", "1") == "c\nd\n"
        assert sorted(feeds(one).values()) == [(1, 1), (3, 3)]
        assert "no feed is called" in run(one, "cat", "nobody", code=1)
        assert "split it" in run(one, "append", stdin="x" * (9 << 20), code=6)
        run(two, "clone", key)
        monkeypatch.setattr(running, "LOCK_PATIENCE_S", 0.0)
        assert "hypermultifeed stop" in run(one, "doctor", code=4)
    assert feeds(two) == feeds(one)


def test_what_a_running_share_tells(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    key = multifeed(one, "a")
    run(two, "create", "--key", "-", stdin=key)
    with shared(one) as share:
        assert run(one, "peers", "--json") == ""
        with shared(two):
            share.event("connected")
            (peer,) = [json.loads(line) for line in run(one, "peers", "--json").splitlines()]
            assert peer["address"].startswith("127.0.0.1:")
            assert len(peer["key"]) == 64
            assert peer["bytes_sent"] > 0
            facts = json.loads(run(one, "network", "--json"))
            assert facts["command"] == "share"
            assert facts["dht"]["nodes"] == 1
            assert facts["lan"] is None
            assert share.address.partition(":")[2] in facts["listening"][0]
            assert [one["key"] for one in facts["peers"]] == [peer["key"]]
            assert key not in json.dumps(facts)
            assert "out/s" in run(one, "peers")
            assert "DHT        1 node" in run(one, "network")
            with started(one, "network", "--live", "--json") as live:
                assert live.stdout is not None
                lines = [json.loads(live.stdout.readline()) for _ in range(2)]
            assert lines[0]["running_s"] < lines[1]["running_s"]


def test_stop_ends_a_share_in_order(tmp_path: Path) -> None:
    one = tmp_path / "one"
    multifeed(one, "a")
    with started(one, "share", code=0) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("listening  0.0.0.0:")
        run(one, "stop")
        assert strays(one) == []
        process.wait(TIMEOUT_S)
    for verb in ("stop", "peers", "network"):
        assert "hypermultifeed share" in run(one, verb, code=1)


def test_sigterm_ends_a_share_in_order(tmp_path: Path) -> None:
    one = tmp_path / "one"
    multifeed(one, "a")
    with shared(one, by=signal.SIGTERM, code=0):
        pass
    assert strays(one) == []


def test_after_a_share_was_killed_everything_works(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    key = multifeed(one, "a")
    with shared(one, by=signal.SIGKILL, code=-signal.SIGKILL):
        run(one, "append", stdin="b\n")
    assert (one / FILE_NAME).exists()
    assert "hypermultifeed share" in run(one, "peers", code=1)
    assert run(one, "cat") == "a\nb\n"
    assert strays(one) == []
    with shared(one):
        run(two, "clone", key)
    assert run(two, "cat") == "a\nb\n"


def test_share_outlives_a_peer_that_talks_nonsense(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    key = multifeed(one, "a")
    with shared(one) as share:
        host, port = share.address.split(":")
        with socket.create_connection((host, int(port))) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\n" + b"x" * 1000)
            assert peer.recv(1000) is not None
            while peer.recv(1000):
                pass
        (failure,) = json.loads(run(one, "network", "--json"))["failures"]
        assert "[ERR_" in failure["error"]
        run(two, "clone", key)
    assert run(two, "cat") == "a\n"


# --- following


def test_tail_follows_another_process(tmp_path: Path) -> None:
    one = tmp_path / "one"
    multifeed(one, "old")
    with started(one, "tail", "--follow") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "old\n"
        run(one, "append", stdin="new\n")
        assert process.stdout.readline() == "new\n"
        run(one, "append", "--writer", "other", stdin="another feed\n")
        assert process.stdout.readline() == "another feed\n"


def test_tail_follows_what_a_share_brings(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    key = multifeed(one, "old")
    run(two, "create", "--key", "-", stdin=key)
    run(two, "append", stdin="theirs\n")
    with shared(one), started(one, "tail", "--follow") as tail:
        assert tail.stdout is not None
        assert tail.stdout.readline() == "old\n"
        run(two, "sync")
        assert tail.stdout.readline() == "theirs\n"
        run(one, "append", stdin="ours\n")
        assert tail.stdout.readline() == "ours\n"


def test_tail_follows_a_peer(tmp_path: Path) -> None:
    one, two, three = tmp_path / "one", tmp_path / "two", tmp_path / "three"
    key = multifeed(one, "old")
    for folder, text in ((two, "mine"), (three, "news")):
        run(folder, "create", "--key", "-", stdin=key)
        run(folder, "append", stdin=f"{text}\n")
    follow = ("tail", "--follow", "--peer")
    with shared(one) as share, started(two, *follow, share.address) as tail:
        assert tail.stdout is not None
        assert [tail.stdout.readline() for _ in range(2)] == ["mine\n", "old\n"]
        with started(three, *follow, share.address):
            assert tail.stdout.readline() == "news\n"


def test_a_closed_pipe_ends_cat_quietly(tmp_path: Path) -> None:
    one = tmp_path / "one"
    multifeed(one, *("x" * 1000 for _ in range(500)))
    with subprocess.Popen(
        [*COMMAND, "-d", str(one), "cat"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


# --- a peer that does not deliver


class StingyPeer:
    """A peer that promises ten blocks, and answers only for the first ``count`` of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
        self.key = os.urandom(32)
        self.count = count
        self.address = ""
        answered = Uploads.request

        def request(uploads: Uploads, request: Request) -> None:
            if request.index < self.count:
                answered(uploads, request)

        monkeypatch.setattr(Uploads, "request", request)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[Self]:
        async with Multifeed(memory(), key=self.key) as multi:
            await (await multi.writer("x")).extend([b"%d" % number for number in range(10)])

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await multi.replicate(initiator=False).run(reader, writer)

            async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
                self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
                yield self


async def command(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    whole = [*COMMAND, "-d", str(folder), *arguments]
    return await asyncio.create_subprocess_exec(*whole, stdout=pipe, stderr=pipe)


async def stored(folder: Path, count: int) -> None:
    """Wait until the running command has so many blocks, by asking it."""
    found = -1
    while found != count:
        async with asked(folder) as holder:
            if holder is not None:
                async for message in holder.replies("network"):
                    found = message.fields.get("network", {}).get("stored", found)
        await asyncio.sleep(0)


async def test_ctrl_c_while_nobody_is_found_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    async with asyncio.timeout(TIMEOUT_S):
        clone = await command(folder, "clone", "07" * 32)
        await stored(folder, 0)
        clone.send_signal(signal.SIGINT)
        _, errors = await clone.communicate()
    assert clone.returncode == 130
    assert errors == b""
    assert not folder.exists()


async def test_ctrl_c_during_clone_leaves_what_sync_goes_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "one"
    async with asyncio.timeout(TIMEOUT_S), StingyPeer(monkeypatch, 4).served() as peer:
        clone = await command(folder, "clone", peer.key.hex(), "--peer", peer.address)
        await stored(folder, 4)
        clone.send_signal(signal.SIGINT)
        said, errors = await clone.communicate()
        assert clone.returncode == 130
        assert f"hypermultifeed -d {folder} sync".encode() in errors
        assert b"Traceback" not in errors
        assert strays(folder) == []
        peer.count = 10
        sync = await command(folder, "sync", "--json", "--peer", peer.address)
        said, errors = await sync.communicate()
        assert sync.returncode == 0, errors
        assert json.loads(said)["new_blocks"] == 6


async def test_a_peer_that_stops_delivering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asyncio.timeout(TIMEOUT_S), StingyPeer(monkeypatch, 4).served() as peer:
        options = ("--peer", peer.address, "--wait", "1")
        clone = await command(tmp_path, "clone", peer.key.hex(), *options)
        _, errors = await clone.communicate()
    assert clone.returncode == 7
    assert b"nothing came for 1 s; 6 blocks missing" in errors
    assert strays(tmp_path) == []
