"""Measures Pkg Stats on a list of npm packages, and prints a table.

::

    python run.py bench pkgstats [--rounds 3] [--only NAME ...] [--quick] [--json FILE]
    python run.py bench pkgstats --scale 1400000 3500000     # packages that do not exist

PKGSTATS_NPM_LIST names the list, which is not in the repository: tab-separated, with a head line;
name, version, downloads a month, summary. Without it a list is made (``tools/corpus.py``). Each
figure comes from a fresh process; the table gives medians.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HERE = Path(__file__).resolve().parent
SIDE_TIMEOUT_S = 7200
MADE_ROWS = 227_000
"""Packages of a list that is made; as many as npm's list has."""

QUICK_ROWS = 2_000
QUICK_QUERIES = 20
MB = 1_000_000
"""As disks and networks count."""

LIST_SETTING = "PKGSTATS_NPM_LIST"


class SideError(Exception):
    """A measure failed."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the table.

    Attributes:
        name: as given to ``--only``, and of the function in ``side.py``.
        meaning: in words.
        options: further arguments.
    """

    name: str
    meaning: str
    options: Mapping[str, object] = field(default_factory=dict)


FILLING = (
    Measure("listing", "a list into signed feeds"),
    Measure("index", "feeds into the view"),
    Measure("build", "the view into the search index"),
)
"""These fill the folder, in this order, in each round anew."""

READING = (
    Measure("replicate", "to a searching peer over TCP, into its view"),
    Measure("latency", "a search", {"count": 2_000}),
    Measure("suggest", "suggestions after a letter", {"count": 150}),
    Measure("cold", "the first answer of a new process", {"query": "react"}),
)


def run_side(name: str, arguments: Mapping[str, object]) -> dict[str, Any]:
    """Run one measure in a process of its own and return what it reports."""
    command = [sys.executable, str(HERE / "side.py"), name, json.dumps(arguments)]
    process = subprocess.run(command, stdout=subprocess.PIPE, timeout=SIDE_TIMEOUT_S, check=False)
    if process.returncode != 0:
        raise SideError(f"{name} {dict(arguments)} ended with status {process.returncode}")
    result: dict[str, Any] = json.loads(process.stdout)
    return result


def one_round(
    folder: Path, source: Measure, chosen: Sequence[Measure], *, quick: bool
) -> dict[str, Any]:
    """All measures on one new folder; those that others need are run but not reported."""
    results = {}
    for measure in (source, *FILLING[1:], *READING):
        if measure in READING and measure not in chosen:
            continue
        arguments: dict[str, object] = {"folder": str(folder / "node"), **measure.options}
        if quick and "count" in arguments:
            arguments["count"] = QUICK_QUERIES
        if measure.name == "replicate":
            arguments["to"] = str(folder / "reader")
        print(f"{measure.name}: {measure.meaning}", file=sys.stderr)
        result = run_side(measure.name, arguments)
        if measure in chosen:
            results[measure.name] = result
    shutil.rmtree(folder)
    return results


def summary(measure: Measure, runs: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """The median of each figure."""
    keys = [key for key, value in runs[0].items() if isinstance(value, int | float)]
    middle = {key: statistics.median(run[key] for run in runs) for key in keys}
    return {"name": measure.name, "meaning": measure.meaning, **middle, "runs": list(runs)}


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Lay the summaries out as text."""
    head = f"{'measure':<54} {'count':>9} {'s':>8} {'MB':>8}"
    lines = [f"{head} {'p50 ms':>7} {'p99 ms':>7} {'peak MB':>8}"]
    for row in rows:
        cells = [f"{row['name'] + ': ' + row['meaning']:<54} {row['count']:>9,.0f}"]
        cells.append(f"{row['seconds']:>8.2f}")
        cells.append(f"{row['bytes'] / MB:>8.1f}" if "bytes" in row else " " * 8)
        at = ("p50_ms", "p99_ms")
        cells += [f"{row[key]:>7.2f}" if key in row else " " * 7 for key in at]
        cells.append(f"{row['peak_bytes'] / MB:>8.0f}")
        lines.append(" ".join(cells))
    return "\n".join(lines)


def source_of(rows: int | None) -> Measure:
    """Where the list comes from; says so where that is not the real one."""
    path = os.environ.get(LIST_SETTING)
    if rows is None and path:
        return Measure("listing", FILLING[0].meaning, {"rows": path})
    return Measure("made", "a made-up list into signed feeds", {"rows": rows or MADE_ROWS})


def say_what_is_unset() -> None:
    """Say it plainly: figures of a made-up list look like those of the real one."""
    if not os.environ.get(LIST_SETTING):
        print(f"{LIST_SETTING} is not set: made-up packages are measured instead", file=sys.stderr)


def choose(names: Sequence[str], source: Measure) -> list[Measure]:
    """The measures whose name starts with one of those given; all for none."""
    every = [source, *FILLING[1:], *READING]
    chosen = [one for one in every if not names or one.name.startswith(tuple(names))]
    if not chosen:
        raise SystemExit(f"no such measure; there are: {', '.join(one.name for one in every)}")
    return chosen


def rounds(options: argparse.Namespace, rows: int | None) -> list[dict[str, Any]]:
    """All rounds on one list."""
    source = source_of(rows)
    chosen = choose(options.only, source)
    runs: dict[str, list[dict[str, Any]]] = {one.name: [] for one in chosen}
    for number in range(1 if options.quick or options.scale else options.rounds):
        with tempfile.TemporaryDirectory(prefix="pkgstats-bench-") as temporary:
            folder = Path(temporary) / str(number)
            found = one_round(folder, source, chosen, quick=options.quick)
            for name, result in found.items():
                runs[name].append(result)
    return [summary(one, runs[one.name]) for one in chosen]


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="run.py bench pkgstats", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=3, help="runs of each measure (default 3)")
    parser.add_argument("--only", nargs="+", default=[], help="names, or beginnings of names")
    parser.add_argument("--quick", action="store_true", help="one round of a small made-up list")
    parser.add_argument(
        "--scale", nargs="+", type=int, default=[], help="made-up lists of so many packages"
    )
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    sizes: list[int | None] = options.scale or [QUICK_ROWS if options.quick else None]
    if not options.scale:
        say_what_is_unset()
    measured = {}
    for size in sizes:
        rows = rounds(options, size)
        print(table(rows), flush=True)
        measured[str(size or "list")] = rows
    if options.json is not None:
        about = {"python": platform.python_version(), "machine": platform.machine()}
        options.json.write_text(json.dumps({**about, "measures": measured}, indent=2))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SideError as error:
        sys.exit(f"bench: {error}")
