"""Verbs that talk to peers, as real processes over loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "hypermultifeed"]
TIMEOUT_S = 60

not_on_windows = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")


def run(folder: Path, *arguments: str, stdin: str = "", code: int = 0) -> str:
    """One command to its end; its standard output, or its errors if it should fail."""
    result = subprocess.run(
        [*COMMAND, "-d", str(folder), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert result.returncode == code, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr if code else result.stdout


def multifeed(folder: Path, *lines: str, writer: str = "local") -> str:
    """A multifeed with one feed; its key."""
    run(folder, "create")
    run(folder, "append", "--writer", writer, stdin="".join(f"{line}\n" for line in lines))
    return run(folder, "key").strip()


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command that runs on until the block ends it with Ctrl-C."""
    with subprocess.Popen(
        [*COMMAND, "-d", str(folder), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            try:
                _, errors = process.communicate(timeout=TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert process.returncode == 130, errors
    assert "Traceback" not in errors


class Share:
    """A running `share --json`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address = "{host}:{port}".format(**self.event("listening"))

    def event(self, kind: str) -> dict[str, Any]:
        """Wait for the next event of a kind."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == kind:
                return event
        raise AssertionError(f"share ended without saying {kind}")


@contextmanager
def shared(folder: Path, *options: str) -> Iterator[Share]:
    with started(folder, "share", "--json", *(options or ["--no-live"])) as process:
        yield Share(process)


def feeds(folder: Path) -> dict[str, tuple[int, int]]:
    """Key to (length, stored)."""
    facts = [json.loads(line) for line in run(folder, "feeds", "--json").splitlines()]
    return {fact["key"]: (fact["length"], fact["stored"]) for fact in facts}


@not_on_windows
def test_clone_then_sync_both_ways(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    key = multifeed(one, "a", "b")
    with shared(one) as share:
        run(two, "clone", share.address, "-", stdin=key)
        share.event("left")
    assert run(two, "cat") == "a\nb\n"
    run(two, "append", stdin="from two\n")
    run(one, "append", stdin="c\n")
    with shared(one) as share:
        fact = json.loads(run(two, "sync", "--json", share.address))
        assert fact == {"feeds": 2, "new_feeds": 0, "new_blocks": 1, "missing_blocks": 0}
        share.event("left")
    assert feeds(one) == feeds(two)
    assert sorted(feeds(one).values()) == [(1, 1), (3, 3)]
    assert run(one, "cat") == "a\nb\nc\nfrom two\n"
    assert run(one, "doctor").endswith("Nothing to mend.\n")


@not_on_windows
def test_a_clone_passes_on_what_it_got(tmp_path: Path) -> None:
    one, two, three = tmp_path / "one", tmp_path / "two", tmp_path / "three"
    key = multifeed(one, *map(str, range(1000)))
    with shared(one) as share:
        run(two, "clone", share.address, key)
    with shared(two) as share:
        run(three, "clone", share.address, key)
    assert feeds(three) == feeds(one)


@not_on_windows
def test_clone_with_another_key_gets_nothing(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    multifeed(one, "secret")
    with shared(one) as share:
        errors = run(two, "clone", share.address, "07" * 32, code=7)
    assert "does not share a multifeed of this key" in errors
    assert "07" * 32 not in errors
    assert not two.exists()


@not_on_windows
def test_share_outlives_a_peer_that_talks_nonsense(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    key = multifeed(one, "a")
    with shared(one) as share:
        host, port = share.address.split(":")
        with socket.create_connection((host, int(port))) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\n" + b"x" * 1000)
            failed = share.event("failed")
        assert failed["code"].startswith("ERR_")
        run(two, "clone", share.address, key)
    assert run(two, "cat") == "a\n"


def test_nobody_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    folder = tmp_path / "one"
    errors = run(folder, "clone", f"127.0.0.1:{port}", "07" * 32, code=7)
    assert f"cannot connect to 127.0.0.1:{port}" in errors
    assert not folder.exists()


@not_on_windows
def test_an_address_that_is_taken(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    multifeed(one)
    multifeed(two)
    with shared(one) as share:
        port = share.address.partition(":")[2]
        assert "in use" in run(two, "share", "--port", port, code=1)


@not_on_windows
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


@not_on_windows
def test_tail_follows_a_peer(tmp_path: Path) -> None:
    one, two, three = tmp_path / "one", tmp_path / "two", tmp_path / "three"
    key = multifeed(one, "old")
    for folder, text in ((two, "mine"), (three, "news")):
        run(folder, "create", "--key", "-", stdin=key)
        run(folder, "append", stdin=f"{text}\n")
    follow = ("tail", "--follow", "--connect")
    with shared(one, "--live") as share, started(two, *follow, share.address) as tail:
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
