"""README.md of this folder and the tests beside it agree.

A test names what it stands for in its docstring: the suite first, then the title in quotes.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

FOLDER = Path(__file__).parent
_ROW = re.compile(r"\| (?!suite |-)([a-z/-]+) \| (.+?) \| (.+?) \|")
_TEST = re.compile(r"`(\w+\.py)::(\w+)`")

Rows = dict[tuple[str, str], set[str]]


def from_tests() -> Rows:
    """For each suite and title the tests that name it."""
    rows: Rows = {}
    for path in sorted(FOLDER.glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            docstring = ast.get_docstring(node) or ""
            suite = re.match(r"[a-z/-]+", docstring)
            for title in re.findall(r'"([^"]+)"', docstring) if suite else ():
                assert suite
                rows.setdefault((suite[0], title), set()).add(f"{path.name}::{node.name}")
    return rows


def from_table() -> tuple[Rows, Rows]:
    """The table's rows with tests, and those with a reason why there is none."""
    tested: Rows = {}
    untested: Rows = {}
    for suite, title, last in _ROW.findall((FOLDER / "README.md").read_text()):
        tests = {"::".join(found) for found in _TEST.findall(last)}
        if tests:
            tested[suite, title] = tests
        else:
            untested[suite, title] = {last}
    return tested, untested


def test_the_table_names_every_test_and_no_other() -> None:
    tested, untested = from_table()
    assert tested == from_tests()
    assert not untested.keys() & tested.keys()
    assert all(len(reason) > 20 for reasons in untested.values() for reason in reasons)


def test_every_title_has_its_row() -> None:
    tested, untested = from_table()
    counts: dict[str, int] = {}
    for suite, _ in [*tested, *untested]:
        package = suite.partition("/")[0]
        counts[package] = counts.get(package, 0) + 1
    assert counts == {
        "multifeed": 24,
        "hypercore": 162,
        "corestore": 15,
        "hypercore-protocol": 21,
        "simple-hypercore-protocol": 9,
        "simple-message-channels": 6,
        "bitfield-rle": 9,
        "dht": 97,
        "dht-rpc": 9,
        "networker": 14,
        "hyperswarm": 118,
    }
