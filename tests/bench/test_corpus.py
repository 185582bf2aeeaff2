"""Made-up lists of packages have the shape of the real one, and are the same every time."""

from __future__ import annotations

import importlib.util
import io
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pkgstats.records.model import IndexRows
from pkgstats.records.names import scope_of

if TYPE_CHECKING:
    from types import ModuleType

FILE = Path(__file__).resolve().parents[2] / "tools" / "corpus.py"
ROWS = 20_000


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("corpus", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["corpus"] = module  # where NamedTuple looks for it
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows(tool: ModuleType) -> list[Any]:
    return list(tool.corpus(ROWS))


def share(rows: list[Any], holds: Any) -> float:
    return sum(map(bool, map(holds, rows))) / len(rows)


def test_the_same_seed_gives_the_same_rows_and_another_one_others(tool: ModuleType) -> None:
    assert list(tool.corpus(500)) == list(tool.corpus(500))
    assert list(tool.corpus(500)) != list(tool.corpus(500, seed=2))


def test_a_shorter_list_is_the_beginning_of_a_longer_one(tool: ModuleType, rows: list[Any]) -> None:
    assert list(tool.corpus(700)) == rows[:700]


def test_it_is_a_stream(tool: ModuleType) -> None:
    assert next(tool.corpus(10**12)).downloads == 2_400_000_000


def test_names_differ_and_every_row_can_be_a_record(rows: list[Any]) -> None:
    assert len({row.name for row in rows}) == ROWS
    names, versions, downloads, summaries = zip(*rows[:2000], strict=True)
    IndexRows(
        names=names,
        versions=versions,
        downloads=downloads,
        summaries=summaries,
        observed_at=1,
        source="corpus",
    )


def test_the_most_downloaded_come_first_along_the_curve(tool: ModuleType, rows: list[Any]) -> None:
    assert all(one.downloads >= other.downloads for one, other in pairwise(rows))
    for rank, downloads in tool.CURVE:
        assert tool.downloads_at(rank) == pytest.approx(downloads, rel=0.01)
    assert tool.downloads_at(10**9) == 1


def test_half_of_the_names_are_scoped_and_scopes_are_shared(rows: list[Any]) -> None:
    scopes = Counter(scope_of(row.name) for row in rows if row.name.startswith("@"))
    assert sum(scopes.values()) / ROWS == pytest.approx(0.495, abs=0.02)
    assert 1000 < len(scopes) < sum(scopes.values()) / 2
    assert scopes.most_common(1)[0][1] > 500


def test_names_reuse_words_and_come_in_families(rows: list[Any]) -> None:
    bare = [row.name.split("/")[-1].replace(".", "-").replace("_", "-").split("-") for row in rows]
    used = Counter(word for words in bare for word in words)
    assert len(used) < sum(used.values()) / 3
    assert Counter(words[0] for words in bare).most_common(1)[0][1] > 300


def test_summaries_are_missing_shared_foreign_or_marked_up(
    tool: ModuleType, rows: list[Any]
) -> None:
    told = Counter(row.summary for row in rows if row.summary)
    shared = sum(count for count in told.values() if count > 1)
    assert share(rows, lambda row: not row.summary) == pytest.approx(tool.EMPTY, abs=0.01)
    assert shared / ROWS == pytest.approx(0.12, abs=0.05)
    assert share(rows, lambda row: "\u7684" in row.summary) == pytest.approx(tool.CJK, abs=0.003)
    assert share(rows, lambda row: "<" in row.summary) == pytest.approx(tool.MARKUP, abs=0.003)
    assert share(rows, lambda row: "Deprecated" in row.summary) > 0
    assert max(len(row.summary) for row in rows) <= tool.SUMMARY_MAX


def test_it_is_written_with_the_columns_of_npm_lists(tool: ModuleType, rows: list[Any]) -> None:
    target = io.StringIO()
    tool.write(iter(rows[:3]), target)
    head, *lines = target.getvalue().splitlines()
    assert head.split("\t") == ["name", "version", "downloads_a_month", "summary"]
    assert [line.split("\t")[0] for line in lines] == [row.name for row in rows[:3]]


def test_it_writes_to_a_file(tool: ModuleType, tmp_path: Path) -> None:
    tool.main(["50", "--seed", "3", "--out", str(tmp_path / "list.tsv")])
    assert len((tmp_path / "list.tsv").read_text("utf-8").splitlines()) == 51
