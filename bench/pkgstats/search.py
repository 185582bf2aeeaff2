"""Relevance and speed of search beside a reference, on one list, in one run; prints JSON.

::

    python bench/pkgstats/search.py [--limit N] [--rounds 3]

    PKGSTATS_NPM_LIST    the list: tab-separated with a head line: name, version, downloads, summary
    PKGSTATS_QUERIES     judged queries, one JSON object a line: id, kind, q, and target (a name) or
                         grades (names to 1, 2, 3)
    PKGSTATS_REFERENCE   the reference, a Python file with ``rows(path)``, ``build(path, rows)`` and
                         ``Engine(path).rerank(query, k)``; without it ours is measured alone

Both answer each query in turn, so that what slows the machine down slows both. A query with a
target scores 1/place, one with grades nDCG, both among the first ten; a kind scores the mean of its
queries, and ``macro`` is the mean of the kinds.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pkgstats.search.index import build, connect
from pkgstats.search.parse import parse
from pkgstats.search.searcher import Searcher
from pkgstats.view.facts import ListingRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pkgstats.view.facts import Details

    Answer = Callable[[str], Sequence[str]]
    Judged = Mapping[str, Any]

SETTINGS = ("PKGSTATS_NPM_LIST", "PKGSTATS_QUERIES", "PKGSTATS_REFERENCE")
PLACES = 10
WARM = 100
SUGGESTED = 8
TYPED_NAMES = 200
"""Names that are typed letter by letter."""


class ListFacts:
    """A list as facts that never change."""

    identity = "list"
    generation = 1

    def __init__(self, path: Path) -> None:
        with path.open(encoding="utf-8", newline="\n") as file:
            next(file)
            self.rows = [self._row(line) for line in file]
        self.rows.sort(key=lambda row: (-row.downloads, row.name))

    @staticmethod
    def _row(line: str) -> ListingRow:
        name, version, downloads, summary = line.rstrip("\n").split("\t")
        return ListingRow(name, version, int(downloads), summary, 0, "here")

    def changed_since(self, generation: int) -> list[str] | None:
        return [] if generation else None

    def listing_rows(self, names: Iterable[str] | None = None) -> Iterator[ListingRow]:
        wanted = None if names is None else set(names)
        return (row for row in self.rows if wanted is None or row.name in wanted)

    def details_of(self, names: Iterable[str]) -> dict[str, Details]:  # noqa: ARG002 - a list has none
        return {}


def score(query: Judged, names: Sequence[str]) -> float:
    """From 0 to 1, by the first ten names."""
    first = list(names)[:PLACES]
    if query["target"]:
        return 1 / (1 + first.index(query["target"])) if query["target"] in first else 0.0
    best = sorted(query["grades"].values(), reverse=True)[:PLACES]
    return gain([query["grades"].get(name, 0) for name in first]) / gain(best) if best else 0.0


def gain(grades: Iterable[int]) -> float:
    return math.fsum((2**grade - 1) / math.log2(place + 2) for place, grade in enumerate(grades))


def reference_engine(program: Path, source: Path, folder: Path) -> tuple[dict[str, Any], Answer]:
    """Build the reference's index; what that cost, and how to ask it."""
    spec = importlib.util.spec_from_file_location("reference", program)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = folder / "reference.db"
    with timed() as costs:
        module.build(str(path), module.rows(str(source)))
    costs["bytes"] = sum(file.stat().st_size for file in folder.glob("reference.db*"))
    engine = module.Engine(str(path))
    return costs, lambda text: list(engine.rerank(text, PLACES))


def our_engine(source: Path, folder: Path) -> tuple[dict[str, Any], Searcher]:
    """Build our index; what that cost, and how to ask it."""
    path = folder / "ours.db"
    with timed() as costs:
        build(path, ListFacts(source))
    costs["bytes"] = path.stat().st_size
    return costs, Searcher(connect(path))


class timed:  # noqa: N801 - reads as a statement
    """Wall and processor time of a block, as a dictionary."""

    def __enter__(self) -> dict[str, Any]:
        self._costs: dict[str, Any] = {}
        self._started = time.perf_counter(), time.process_time()
        return self._costs

    def __exit__(self, *exc_info: object) -> None:
        wall, processor = self._started
        self._costs["build_s"] = time.perf_counter() - wall
        self._costs["build_cpu_s"] = time.process_time() - processor


def ask_all(
    engines: Mapping[str, Answer], queries: Sequence[Judged], rounds: int
) -> dict[str, dict[str, Any]]:
    """Ask all engines all queries in turn, several times; the fastest time of each counts."""
    for query in queries[:WARM]:
        for answer in engines.values():
            answer(query["q"])
    scores: dict[str, defaultdict[str, list[float]]] = {n: defaultdict(list) for n in engines}
    times: dict[str, list[float]] = {name: [math.inf] * len(queries) for name in engines}
    for number in range(rounds):
        for place, query in enumerate(queries):
            for name, answer in sorted(engines.items(), reverse=(place + number) % 2 == 1):
                started = time.perf_counter()
                names = answer(query["q"])
                spent = (time.perf_counter() - started) * 1000
                times[name][place] = min(times[name][place], spent)
                if not number:
                    scores[name][query["kind"]].append(score(query, names))
    return {name: {**judged(scores[name]), **quantiles(times[name])} for name in engines}


def judged(scores: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    kinds = {kind: statistics.mean(found) for kind, found in scores.items()}
    return {"macro": statistics.mean(kinds.values()), "kinds": kinds}


def quantiles(times: Iterable[float]) -> dict[str, float]:
    ordered = sorted(times)
    last = len(ordered) - 1
    at = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
    return {key: ordered[int(last * share)] for key, share in at.items()}


def typing(searcher: Searcher, names: Sequence[str]) -> dict[str, float]:
    """Suggestions after each letter of popular names; of three times the fastest."""
    times = []
    for text in [name[:end] for name in names for end in range(1, len(name) + 1)]:
        tries = []
        for _ in range(3):
            started = time.perf_counter()
            searcher.suggest(text, SUGGESTED)
            tries.append((time.perf_counter() - started) * 1000)
        times.append(min(tries))
    return {"count": len(times), **quantiles(times)}


def ratios(ours: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
    """Ours over the reference's."""
    keys = ("macro", "p50_ms", "p95_ms", "p99_ms", "build_s", "build_cpu_s", "bytes")
    found: dict[str, Any] = {key: ours[key] / reference[key] for key in keys}
    kinds = reference["kinds"]
    found["kinds"] = {kind: ours["kinds"][kind] / kinds[kind] for kind in kinds if kinds[kind]}
    return found


def measure(
    source: Path, asked: Path, program: Path | None, *, limit: int | None = None, rounds: int = 3
) -> dict[str, Any]:
    """All figures."""
    queries = [json.loads(line) for line in asked.read_text(encoding="utf-8").splitlines()]
    queries = queries[:limit]
    with tempfile.TemporaryDirectory(prefix="pkgstats-bench-") as temporary:
        folder = Path(temporary)
        engines: dict[str, Answer] = {}
        costs: dict[str, dict[str, Any]] = {}
        if program is not None:
            costs["reference"], engines["reference"] = reference_engine(program, source, folder)
        costs["ours"], searcher = our_engine(source, folder)
        with closing(searcher):
            engines["ours"] = lambda text: [
                hit.name for hit in searcher.search(parse(text), PLACES, 1, 0).hits
            ]
            found = ask_all(engines, queries, rounds)
            names = [hit.name for hit in searcher.search(parse("sort:downloads"), 250, 1, 0).hits]
            suggesting = typing(searcher, (names or [q["q"] for q in queries])[:TYPED_NAMES])
    result: dict[str, Any] = {name: {**found[name], **costs[name]} for name in engines}
    if program is not None:
        result["ratio"] = ratios(result["ours"], result["reference"])
    return {"queries": len(queries), **result, "typing": suggesting}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--limit", type=int, help="ask only so many queries")
    parser.add_argument("--rounds", type=int, default=3, help="times that each is asked")
    options = parser.parse_args(argv)
    source, asked, program = (os.environ.get(name) for name in SETTINGS)
    if not source or not asked:
        print(f"skipped: {SETTINGS[0]} and {SETTINGS[1]} name the list and the queries")
        return 0
    figures = measure(
        Path(source),
        Path(asked),
        Path(program) if program else None,
        limit=options.limit,
        rounds=options.rounds,
    )
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
