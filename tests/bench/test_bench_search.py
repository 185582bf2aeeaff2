"""The comparison of search with a reference runs; what it measures is not judged here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "bench" / "pkgstats" / "search.py"
LIST = """name\tversion\tdownloads_a_month\tsummary
beta\t1.0.0\t900\tSecond letter
alpha\t1.0.0\t1000\tFirst letter
gamma-ray\t1.0.0\t10\t
"""
QUERIES = [
    {"id": 0, "kind": "exact", "q": "alpha", "target": "alpha", "grades": {"alpha": 3}},
    {"id": 1, "kind": "typo", "q": "gmama-ray", "target": "gamma-ray", "grades": {}},
    {"id": 2, "kind": "intent", "q": "letter", "target": None, "grades": {"alpha": 3, "beta": 1}},
    {"id": 3, "kind": "intent", "q": "nothing", "target": None, "grades": {}},
]
REFERENCE = """
def rows(path):
    return open(path, encoding="utf-8").read().splitlines()[1:]

def build(path, rows):
    open(path, "w", encoding="utf-8").write("\\n".join(rows))

class Engine:
    def __init__(self, path):
        rows = open(path, encoding="utf-8").read().splitlines()
        self.names = [row.split("\\t")[0] for row in rows]

    def rerank(self, text, count):
        return [name for name in self.names if text in name][:count]
"""


def run(**settings: str) -> str:
    clean = {name: value for name, value in os.environ.items() if "PKGSTATS" not in name}
    process = subprocess.run(
        [sys.executable, str(SCRIPT), "--rounds", "1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**clean, **settings},
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_what_is_not_set_is_said() -> None:
    assert "skipped" in run()


def test_both_are_asked_in_one_run(tmp_path: Path) -> None:
    files = {
        "list": LIST,
        "queries": "\n".join(map(json.dumps, QUERIES)),
        "reference.py": REFERENCE,
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    settings = {
        "PKGSTATS_NPM_LIST": str(tmp_path / "list"),
        "PKGSTATS_QUERIES": str(tmp_path / "queries"),
    }
    alone = json.loads(run(**settings))
    assert "ratio" not in alone
    assert alone["ours"]["kinds"] == {"exact": 1, "typo": 1, "intent": 0.5}
    both = json.loads(run(**settings, PKGSTATS_REFERENCE=str(tmp_path / "reference.py")))
    assert both["reference"]["kinds"] == {"exact": 1, "typo": 0, "intent": 0}
    assert both["ratio"]["kinds"] == {"exact": 1}
    for key in ("macro", "p50_ms", "p99_ms", "build_s", "bytes"):
        assert both["ratio"][key] > 0
    assert both["typing"]["count"] > 0
