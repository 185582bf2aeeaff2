"""The benchmarks of Pkg Stats run on a small made-up list; what they measure is not judged here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).resolve().parents[2] / "bench" / "run.py"
SETTING = "PKGSTATS_NPM_LIST"
UNSET = {name: value for name, value in os.environ.items() if name != SETTING}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(RUN), "pkgstats", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=UNSET,
    )


def test_a_quick_round_of_everything(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    process = bench("--quick", "--json", str(figures))
    assert process.returncode == 0, process.stderr
    measured = {one["name"]: one for one in json.loads(figures.read_text())["measures"]["2000"]}
    assert measured.keys() == {
        "made",
        "index",
        "build",
        "replicate",
        "latency",
        "suggest",
        "cold",
    }
    assert measured["index"]["count"] == measured["replicate"]["count"] == 2000
    assert measured["replicate"]["bytes"] > measured["made"]["bytes"]
    assert all(run["same_hash"] for run in measured["replicate"]["runs"])
    for one in measured.values():
        assert one["seconds"] > 0
        assert one["name"] in process.stdout


def test_what_is_unset_is_said() -> None:
    process = bench("--quick", "--only", "made")
    assert f"{SETTING} is not set" in process.stderr


def test_an_unknown_measure_is_named() -> None:
    process = bench("--only", "nothing")
    assert process.returncode == 1
    assert "replicate" in process.stderr
