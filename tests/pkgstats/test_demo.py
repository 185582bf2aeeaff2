"""The demonstration as a person runs it: real processes, real folders, real sockets."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from pkgstats.demo import Stage, demo_folder, reader_node, writer_name

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 120


def command(data: Path, *arguments: str) -> list[str]:
    options = ["--data", str(data), "--port", "0", *arguments]
    return [sys.executable, "-m", "pkgstats", "demo", *options]


def demo(data: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        command(data, *arguments),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert result.returncode == code, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")
def test_interrupted_then_run_to_the_end_then_once_more(tmp_path: Path) -> None:
    with subprocess.Popen(
        command(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Two writers")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "the next run goes on" in errors
    first = demo(tmp_path, "--lookup", "left-pad").stdout
    assert "20,000 packages merged and indexed" in first
    assert re.search(r"blocks of two writers fetched \([1-9][0-9,]* kB\) and verified", first)
    assert "left-pad 1.3.0" in first
    assert "Pages:" not in first, "it is over before anybody could open them"
    again = demo(tmp_path, "--lookup", "semver", "--lookup", "no-such-packag", code=1).stdout
    assert re.search(r"told by +writer-1 \([0-9a-f]{8}\)", again)
    assert "no-such-packag: not among these 20,000 packages" in again
    assert "blocks of two writers are here already: nothing had to be fetched" in again
    assert "kB" not in again
    assert view_hash(first) == view_hash(again)
    serves_until_it_is_ended(tmp_path)


def view_hash(shown: str) -> str:
    found = re.search(r"View hash ([0-9a-f]{16})", shown)
    assert found
    return found[1]


def serves_until_it_is_ended(data: Path) -> None:
    noted = data / "frozen"
    with subprocess.Popen(
        command(data),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | notes_who_freezes(data / "hook", noted),
    ) as process:
        assert process.stdout is not None
        shown = next(line for line in process.stdout if line.startswith("Pages:"))
        address = shown.split()[1]
        with httpx.Client(trust_env=False) as http:
            told = http.get(f"{address}/api/search", params={"q": "lefft-pad", "size": "3"}).json()
            assert "left-pad" in [one["name"] for one in told["results"]]
            assert "left-pad" in http.get(f"{address}/search?q=left-pad").text
        process.terminate()
        process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    assert sorted(noted.read_text().split()) == ["demo", "pages", "writer", "writer"]


def notes_who_freezes(folder: Path, file: Path) -> dict[str, str]:
    """An environment in which each process notes its verb when it freezes what it began with."""
    folder.mkdir()
    folder.joinpath("sitecustomize.py").write_text(
        f"""import gc, sys
freeze = gc.freeze
def noted():
    freeze()
    with open({str(file)!r}, "a") as out:
        out.write(sys.argv[1] + "\\n")
gc.freeze = noted
"""
    )
    return {"PYTHONPATH": str(folder)}


def test_a_writer_that_cannot_start_ends_all_with_its_reason(tmp_path: Path) -> None:
    (demo_folder(tmp_path) / "writer-2").write_text("a file where the folder should be")
    result = demo(tmp_path, code=1)
    assert "writer-2 ended early" in result.stderr


def test_the_reader_owns_the_group_and_keeps_it(tmp_path: Path) -> None:
    first, again = reader_node(tmp_path), reader_node(tmp_path)
    assert first.group == again.group
    assert first.group.key_pair is not None


def test_stages_and_names() -> None:
    assert writer_name(0) == "writer-1"
    assert Stage("writer-1", 5).fetched == 0
