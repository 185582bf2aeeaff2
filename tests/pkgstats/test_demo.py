"""The demo as a person runs it: real processes, real folders, real sockets."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pkgstats.demo import edition_folder, root_key_in

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 120


def serve(data: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-m", "pkgstats", "serve", "--data", str(data), *arguments],
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
        [sys.executable, "-m", "pkgstats", "serve", "--data", str(tmp_path)],
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
    first = serve(tmp_path, "--lookup", "left-pad")
    assert "20,000 blocks of 2 writers fetched and verified" in first.stdout
    assert "left-pad 1.3.0" in first.stdout
    again = serve(tmp_path, "--lookup", "semver", "--lookup", "no-such-packag", code=1)
    assert "said by writer-1, block 0" in again.stdout
    assert "no-such-packag: not among these 20,000 packages" in again.stdout


def test_a_writer_that_cannot_start_ends_all_with_its_reason(tmp_path: Path) -> None:
    (edition_folder(tmp_path) / "writer-2").write_text("a file where the folder should be")
    result = serve(tmp_path, code=1)
    assert "writer-2 ended early" in result.stderr


def test_the_root_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    key = root_key_in(tmp_path)
    assert len(key) == 32
    assert root_key_in(tmp_path) == key
    if sys.platform != "win32":
        assert (tmp_path / "root-key").stat().st_mode & 0o777 == 0o600
