"""The benchmarks of the pages run on little; what they measure is not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

RUN = Path(__file__).resolve().parents[2] / "bench" / "run.py"


def bench(*arguments: str) -> dict[str, Any]:
    process = subprocess.run(
        [sys.executable, str(RUN), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    told: dict[str, Any] = json.loads(process.stdout)
    return told


def test_pages_beside_a_bare_one() -> None:
    told = bench("pages", "--requests", "3")
    assert told["ms"].keys() >= {"bare", "package", "package first", "search first", "search"}
    assert min(one for one in told["ms"].values() if one is not None) > 0


def test_pages_under_load_lose_no_request() -> None:
    told = bench("load", "--packages", "3000", "--seconds", "2", "--rate", "100")
    assert told["ratio"] > 0
    assert [one["errors"] for one in told["load"]] == [0]
