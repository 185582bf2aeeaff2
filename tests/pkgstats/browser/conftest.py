"""Chromium before the pages as `pkgstats serve` serves them, offline, from a folder of facts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[3]

CHROMIUM_SETTING = "PKGSTATS_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

ARGUMENTS = """
    --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --disable-default-apps --force-color-profile=srgb
""".split()  # noqa: SIM905
"""Root has no sandbox; and the browser asks nobody anything by itself."""

START_TIMEOUT_S = 60
END_TIMEOUT_S = 30


def find_chromium() -> str | None:
    """Where Chromium is, if it is."""
    return os.environ.get(CHROMIUM_SETTING) or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser. On a machine that tests what others rely on it has to be there.

    While it is open, an event loop runs: modules that use it have no asynchronous tests.
    """
    path = find_chromium()
    if path is None and not os.environ.get("CI"):
        pytest.skip(f"no Chromium here; install it, or name it by {CHROMIUM_SETTING}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of facts."""
    folder = tmp_path_factory.mktemp("ground") / "node"
    command = [sys.executable, "-m", "tools.ground", str(folder)]
    subprocess.run(command, check=True, cwd=ROOT, timeout=START_TIMEOUT_S)
    return folder


@pytest.fixture(scope="session")
def pages(ground: Path) -> Iterator[str]:
    """The address of the pages about it."""
    with serving(ground) as address:
        yield address


def copied(ground: Path, to: Path) -> Path:
    """A copy of the ground, which others may have open."""
    folder = to / "node"
    shutil.copytree(ground, folder, ignore=shutil.ignore_patterns("serve.json", "*.lock"))
    return folder


class serving:  # noqa: N801 - a context manager
    """`pkgstats serve` on a folder, as long as the block lasts; without further options offline."""

    def __init__(self, folder: Path, *arguments: str, environment: str | None = None) -> None:
        """Take the folder, further options, and a folder of modules to load first."""
        self._command = [
            *(sys.executable, "-P", "-m", "pkgstats", "serve", "--data", str(folder)),
            *("--port", "0", "--json", *(arguments or ("--offline",))),
        ]
        more = {} if environment is None else {"PYTHONPATH": environment}
        self._environment = os.environ | more
        self._process: subprocess.Popen[str]

    def __enter__(self) -> str:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment,
        )
        assert self._process.stdout is not None
        lines = [self._process.stdout.readline()]
        while lines[-1] not in {"}\n", ""}:
            lines.append(self._process.stdout.readline())
        if not lines[-1]:
            self.__exit__()
            pytest.fail("serve has ended early; see its words above")
        return str(json.loads("".join(lines))["pages"])

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=END_TIMEOUT_S)
        assert self._process.returncode in {0, 130, 143}, self._process.returncode
