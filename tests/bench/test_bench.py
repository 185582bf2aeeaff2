"""The benchmarks run; what they measure is not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).resolve().parents[2] / "bench" / "run.py"


def test_quick_round_of_our_side(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    process = subprocess.run(
        [sys.executable, str(RUN), "--quick", "--python-only", "--json", str(figures)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    measures = json.loads(figures.read_text())["measures"]
    assert {m["name"] for m in measures} > {"batch-100", "replicate-tcp-64k", "many-open"}
    for measure in measures:
        assert measure["python"]["per_second"] > 0
        assert measure["python"]["peak_bytes"] > 0
        assert measure["name"] in process.stdout


def test_unknown_measure_is_named(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, str(RUN), "--only", "nothing"], capture_output=True, text=True, check=False
    )
    assert process.returncode == 1
    assert "batch-100" in process.stderr
