"""Processes of our own."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from pkgstats.child import ChildError, child_process, say

if TYPE_CHECKING:
    from pathlib import Path


async def test_who_ends_early_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with child_process("a child", "no-such-verb", log=log) as child:
        with pytest.raises(ChildError, match=r"^a child ended early: .*no-such-verb"):
            await anext(child.said())


async def test_it_says_something_and_ends_when_it_is_asked_to(tmp_path: Path) -> None:
    group = "ab" * 32
    words = ("writer", "--data", str(tmp_path / "w"), "--group", group, "--part", "0")
    log = tmp_path / "log"
    async with child_process("w", *words, "--parts", "20000", log=log, yields=True) as child:
        assert (await anext(child.said()))["told"] == 0
        if sys.platform != "win32":  # Ctrl-C does not reach it, and its priority counts beside ours
            pid = child._process.pid
            assert os.getpgid(pid) == pid
            assert os.getsid(pid) == os.getsid(0)
    assert child._process.returncode == 0
    assert "Traceback" not in log.read_text()


async def test_who_does_not_end_is_ended_by_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pkgstats.child.END_TIMEOUT_S", 0)
    async with child_process("d", "--help", log=tmp_path / "log") as child:
        pass
    assert child._process.returncode != 0 or sys.platform == "win32"


def test_what_it_says_is_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    say({"a": [1, "ü\n"]})
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert json.loads(line) == {"a": [1, "ü\n"]}
