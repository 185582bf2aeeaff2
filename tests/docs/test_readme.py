"""What the documents show is done: programs run, snippets hold, commands print what is said.

In Markdown, a ``python`` block with ``asyncio.run`` is a program; the ``text`` block behind it is
its output. Other ``python`` blocks of a document are parts of one program, in which ``await`` may
stand anywhere. In ``console`` blocks a line that starts with ``$`` is a command.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from .repository import ROOT, markdown

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE_S = 60

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    language: str
    text: str


class Command(NamedTuple):
    line: str
    output: str


def blocks(document: Path) -> list[Block]:
    return [Block(*found.groups()) for found in BLOCK.finditer(document.read_text("utf-8"))]


def is_program(block: Block) -> bool:
    return block.language == "python" and "asyncio.run(" in block.text


def programs() -> list[tuple[str, str, str]]:
    """Document, program, and what it prints."""
    found = []
    for document in markdown():
        every = blocks(document)
        for block, behind in zip(every, [*every, Block("", "")][1:], strict=True):
            if is_program(block):
                output = behind.text if behind.language == "text" else ""
                found.append((document.name, block.text, output))
    return found


def snippets() -> list[tuple[str, str]]:
    """Documents with parts of a program, and these parts."""
    parts = [
        (
            document,
            [b.text for b in blocks(document) if b.language == "python" and not is_program(b)],
        )
        for document in markdown()
    ]
    return [(document.name, "".join(texts)) for document, texts in parts if texts]


def commands(text: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        yield Command(line, output)


def test_the_readme_has_a_program_and_commands() -> None:
    languages = [block.language for block in blocks(ROOT / "README.md")]
    assert "python" in languages
    assert "console" in languages
    assert "README.md" in [document for document, _, _ in programs()]


@pytest.mark.parametrize(("document", "program", "output"), programs(), ids=lambda _: "")
def test_a_program_in_a_document_prints_what_is_said(
    document: str, program: str, output: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.stderr, done.stdout) == ("", output), document


@pytest.mark.parametrize(("document", "code"), snippets(), ids=lambda text: str(text)[:20])
async def test_the_snippets_of_a_document_hold(
    document: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": document}
    compiled = compile(code, document, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    running = eval(compiled, namespace)  # noqa: S307 - our own documents
    if inspect.isawaitable(running):
        await running


# --- the command line ---------------------------------------------------------------------------

RUNS_ON = re.compile(r"hypermultifeed .*\b(share|tail -f)\b")


class Terminal:
    """Runs the commands of a walk-through in one folder; those that run on until its end.

    Peers find each other in a DHT of their own on this machine, and nowhere else.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[str]] = []
        scripts = str(Path(sys.executable).parent)
        self._environment = {
            **os.environ,
            "PATH": os.pathsep.join([scripts, os.environ["PATH"]]),
            "PYTHONUTF8": "1",
            "HYPERMULTIFEED_LAN": "0",
            "HYPERMULTIFEED_LOOPBACK": "1",
        }
        said = self._start("hypermultifeed bootstrap --host 127.0.0.1 --port 0 --json", lines=1)
        node = json.loads(said)
        self._environment["HYPERMULTIFEED_BOOTSTRAP"] = f"127.0.0.1:{node['port']}"

    def do(self, command: Command) -> str:
        """Run a command and return what it printed, as much as the document shows."""
        line = command.line
        if not RUNS_ON.match(line):
            done = subprocess.run(  # noqa: S602 - our own documents
                line,
                shell=True,
                **self._options(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=DEADLINE_S,
                check=False,
            )
            return str(done.stdout)
        return self._start(line, lines=len(command.output.splitlines()))

    def _start(self, line: str, *, lines: int) -> str:
        """Run a command that goes on, and return its first lines."""
        process = subprocess.Popen(
            shlex.split(line), **self._options(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._running.append(process)
        assert process.stdout is not None
        deadline = threading.Timer(DEADLINE_S, process.kill)
        deadline.start()
        try:
            return "".join(process.stdout.readline() for _ in range(lines))
        finally:
            deadline.cancel()

    def end(self) -> list[int]:
        """Press Ctrl-C on what still runs; the exit codes."""
        codes = []
        for process in reversed(self._running):
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=DEADLINE_S)
            process.kill()
            codes.append(process.wait())
        self._running.clear()
        return codes

    def _options(self) -> dict[str, Any]:
        return {"cwd": self._folder, "env": self._environment, "encoding": "utf-8"}


def without_chance(text: str) -> str:
    """Keys and ports differ from run to run, and networks from machine to machine."""
    text = re.sub(r"^(listening +0\.0\.0\.0):\d+$", r"\1:<port>", text, flags=re.MULTILINE)
    text = re.sub(r"^(announced +)in .*$", r"\1<where>", text, flags=re.MULTILINE)
    text = re.sub(r"\b[0-9a-f]{64}\b", "<key>", text)
    return re.sub(r"\b[0-9a-f]{8}…", "<beginning of a key>", text)


@pytest.mark.skipif(sys.platform == "win32", reason="its shell and its Ctrl-C are others")
def test_the_commands_in_the_readme_print_what_is_said(tmp_path: Path) -> None:
    texts = [b.text for b in blocks(ROOT / "README.md") if b.language == "console"]
    terminal = Terminal(tmp_path)
    try:
        for command in commands("".join(texts)):
            said = terminal.do(command)
            assert without_chance(said) == without_chance(command.output), command.line
        assert terminal.end() == [130, 130, 130]
    finally:
        terminal.end()
