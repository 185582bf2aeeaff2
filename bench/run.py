"""Measures the library beside the JavaScript original, and prints a table of ratios.

::

    python bench/run.py [--rounds 5] [--only NAME ...] [--quick] [--json FILE] [--python-only]
    python bench/run.py --opcodes --only replicate-100      # what our side does, without noise
    python bench/run.py pkgstats [--help]                   # Pkg Stats, see pkgstats/run.py
    python bench/run.py pages [--help]                      # its pages, see pkgstats/pages.py
    python bench/run.py load [--help]                       # them under load, see pkgstats/load.py

Each figure comes from a fresh process, so that peak memory is that of one measure. The rounds go
through all measures in turn, JavaScript's right before ours: what slows the machine down for a
while slows both. The table gives medians.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HERE = Path(__file__).resolve().parent

OTHERS = {"pkgstats": "run.py", "pages": "pages.py", "load": "load.py"}
"""Benchmarks of Pkg Stats, by their verb."""

SIDES = {
    "python": [sys.executable, str(HERE / "side.py")],
    "js": ["node", str(HERE / "js" / "side.js")],
}
PRIVATE_NETWORK = """
ip link set lo up multicast on
ip route add 224.0.0.0/4 dev lo
for network in 127.0.0.0/8 127.0.0.1; do
    ip route replace local $network dev lo proto kernel scope host src 127.0.0.2 table local
done
exec "$@"
"""
"""Runs a command where nothing but loopback is, with mDNS. Connections come from 127.0.0.2,
because JavaScript's networker ignores those from 127.0.0.1."""

SIDE_TIMEOUT_S = 600
QUICK_SCALE = 0.02
OPCODES_SCALE = 0.08
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the table.

    Attributes:
        name: as given to ``--only``.
        command: the name of the measure within a side.
        count: how many blocks (or feeds) are worked on; rates are per one of them.
        bytes: size of one block.
        source: what must be prepared first (once for all rounds), as (command, count, bytes).
        seconds: which of the durations that the side reports.
        faster: the ratio to JavaScript we promise, or None.
        python_only: JavaScript has nothing like it.
        finding: peers find each other; this needs a network of our own.
        options: further arguments.
    """

    name: str
    command: str
    count: int
    bytes: int = 100
    source: tuple[str, int, int] | None = None
    seconds: str = "seconds"
    faster: float | None = None
    python_only: bool = False
    finding: bool = False
    options: dict[str, object] = field(default_factory=dict)


SMALL = ("prepare", 53_000, 100)
LARGE = ("prepare", 4_000, 65_536)
MANY = ("prepareMany", 1_000, 0)
ONE = ("prepareMany", 1, 0)

MEASURES = (
    Measure("batch-100", "batch", 50_000, faster=3),
    Measure("single-100", "single", 5_000, faster=2),
    Measure("single-full-100", "single", 1_000, python_only=True, options={"durability": "full"}),
    Measure("get-100", "get", 50_000, source=SMALL, faster=3.5),
    Measure("replicate-100", "replicate", 53_000, source=SMALL, faster=3),
    Measure(
        "replicate-tcp-100", "replicate", 53_000, source=SMALL, faster=3, options={"tcp": True}
    ),
    Measure("batch-64k", "batch", 2_000, bytes=65_536),
    Measure("replicate-64k", "replicate", 4_000, bytes=65_536, source=LARGE, faster=1.7),
    Measure(
        "replicate-tcp-64k",
        "replicate",
        4_000,
        bytes=65_536,
        source=LARGE,
        options={"tcp": True},
    ),
    Measure("workload-100", "workload", 50_000),
    Measure("many-open", "many", 1_000, source=MANY),
    Measure("many-replicate", "many", 1_000, source=MANY, seconds="replicate_seconds"),
    Measure(
        "clone-first-block", "clone", 1, source=ONE, faster=2, finding=True, options={"mdns": True}
    ),
    Measure(
        "clone-dht-first-block",
        "clone",
        1,
        source=ONE,
        faster=2,
        finding=True,
        options={"mdns": False},
    ),
    Measure(
        "clone-1000-feeds",
        "clone",
        1_000,
        source=MANY,
        seconds="all_seconds",
        faster=2,
        finding=True,
        options={"mdns": True},
    ),
)

MEMORY_RATIO_MAX = 0.4
"""Peak resident memory beside JavaScript's that we promise for the whole workload."""


def scaled(number: int, scale: float) -> int:
    """Shrink a number of blocks or feeds, for a quick look."""
    return max(min(2, number), int(number * scale))


class SideError(Exception):
    """One side failed to do its measure."""


def privately() -> list[str]:
    """What goes before a command to run it in a network of its own."""
    unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
    return [*unshare, "sh", "-ec", PRIVATE_NETWORK, "sh"]


@functools.cache
def why_no_private_network() -> str | None:
    """Say why peers cannot find each other here without anybody else, or None."""
    if sys.platform != "linux" or shutil.which("unshare") is None or shutil.which("ip") is None:
        return "it needs Linux, unshare and ip"
    process = subprocess.run([*privately(), "true"], capture_output=True, text=True, check=False)
    return process.stderr.strip() or None if process.returncode else None


def run_side(
    side: str, command: str, arguments: dict[str, object], *options: str, private: bool = False
) -> dict[str, Any]:
    """Run one measure in a process of its own and return what it reports."""
    process = subprocess.run(
        [*(privately() if private else ()), *SIDES[side], command, json.dumps(arguments), *options],
        stdout=subprocess.PIPE,
        timeout=SIDE_TIMEOUT_S,
        check=False,
    )
    if process.returncode != 0:
        raise SideError(f"{side} {command} {arguments} ended with status {process.returncode}")
    result: dict[str, Any] = json.loads(process.stdout)
    return result


class Bench:
    """All rounds over one temporary folder, which is removed at the end."""

    def __init__(
        self, folder: Path, sides: Sequence[str], scale: float, options: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self.options = options
        self.sides = sides
        self.scale = scale
        self.results: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        self._sources: dict[tuple[str, tuple[str, int, int]], Path] = {}
        self._last: dict[tuple[str, str], dict[str, Any]] = {}

    def source(self, side: str, source: tuple[str, int, int]) -> Path:
        """Make, once, the folder that a measure reads."""
        path = self._sources.get((side, source))
        if path is None:
            command, count, size = source
            path = self.folder / f"{side}-{command}-{count}-{size}"
            count = scaled(count, self.scale)
            run_side(
                side, command, {"folder": str(path), "count": count, "feeds": count, "bytes": size}
            )
            self._sources[side, source] = path
        return path

    def measure(self, side: str, measure: Measure) -> None:
        """Run one measure once, or take the other half of the result of the run just done."""
        count = scaled(measure.count, self.scale)
        arguments: dict[str, object] = {
            "count": count,
            "feeds": count,
            "bytes": measure.bytes,
            **measure.options,
        }
        if measure.source is not None:
            arguments["source"] = str(self.source(side, measure.source))
        key = (side, json.dumps([measure.command, arguments], sort_keys=True))
        result = self._last.pop(key, None)
        if result is None or measure.seconds == "seconds":
            target = Path(tempfile.mkdtemp(dir=self.folder))
            result = run_side(
                side,
                measure.command,
                {**arguments, "folder": str(target / "to")},
                *self.options,
                private=measure.finding,
            )
            shutil.rmtree(target)
            self._last[key] = result
        seconds = result[measure.seconds]
        self.results[measure.name, side].append(
            {
                "seconds": seconds,
                "per_second": count / seconds,
                "peak_bytes": result["peak_bytes"],
            }
        )

    def summary(self, measure: Measure) -> dict[str, Any]:
        """Return medians of both sides, and their ratios."""
        row: dict[str, Any] = {
            "name": measure.name,
            "count": scaled(measure.count, self.scale),
            "bytes": measure.bytes,
            "target": measure.faster,
        }
        for side in ("js", "python"):
            runs = self.results.get((measure.name, side))
            if runs:
                row[side] = {
                    "per_second": statistics.median(run["per_second"] for run in runs),
                    "best_per_second": max(run["per_second"] for run in runs),
                    "peak_bytes": statistics.median(run["peak_bytes"] for run in runs),
                    "runs": runs,
                }
        if "js" in row and "python" in row:
            row["ratio"] = row["python"]["per_second"] / row["js"]["per_second"]
            row["memory_ratio"] = row["python"]["peak_bytes"] / row["js"]["peak_bytes"]
        return row


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Lay the summaries out as text."""
    head = f"{'measure':<20} {'JS /s':>10} {'Python /s':>10} {'ratio':>7} {'target':>7}"
    lines = [head + f" {'JS MiB':>8} {'Py MiB':>8} {'ratio':>6}"]
    for row in rows:
        cells = [f"{row['name']:<20}"]
        cells += [f"{rate(row.get(side)):>10}" for side in ("js", "python")]
        cells.append(f"{times(row.get('ratio')):>7}")
        cells.append(f"{times(row['target']):>7}")
        cells += [f"{memory(row.get(side)):>8}" for side in ("js", "python")]
        cells.append(f"{times(row.get('memory_ratio')):>6}")
        lines.append(" ".join(cells))
    lines.append(
        f"Rates are medians; the promise for memory is {MEMORY_RATIO_MAX}x, for the whole workload."
    )
    return "\n".join(lines)


def rate(side: dict[str, Any] | None) -> str:
    return "" if side is None else f"{side['per_second']:,.0f}"


def memory(side: dict[str, Any] | None) -> str:
    return "" if side is None else f"{side['peak_bytes'] / MIB:,.0f}"


def times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}x"


def choose(names: Sequence[str]) -> list[Measure]:
    """Return the measures whose name starts with one of those given; all of them for none."""
    chosen = [m for m in MEASURES if not names or m.name.startswith(tuple(names))]
    if not chosen:
        raise SystemExit(f"no such measure; there are: {', '.join(m.name for m in MEASURES)}")
    if any(m.finding for m in chosen) and (reason := why_no_private_network()) is not None:
        print(f"clone is left out, no network namespace: {reason}", file=sys.stderr)
        chosen = [m for m in chosen if not m.finding]
    return chosen


def why_no_js() -> str | None:
    """Say why JavaScript cannot be measured here, or None."""
    if shutil.which("node") is None:
        return "node is not installed"
    if not (HERE.parent / "interop" / "node_modules" / "hypercore").is_dir():
        return "interop/node_modules is missing (run `npm ci` in interop/)"
    return None


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="runs of each measure (default 5)")
    parser.add_argument("--only", nargs="+", default=[], help="names, or beginnings of names")
    parser.add_argument("--quick", action="store_true", help="one round of small sizes")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--opcodes", action="store_true", help="count our bytecodes a block")
    parser.add_argument("--python-only", action="store_true", help="leave JavaScript out")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] and argv[0] in OTHERS:
        command = [sys.executable, str(HERE / "pkgstats" / OTHERS[argv[0]]), *argv[1:]]
        return subprocess.run(command, check=False).returncode
    args = arguments(argv)
    measures = choose(args.only)
    reason = "asked for" if args.python_only or args.opcodes else why_no_js()
    if reason is not None:
        print(f"Python only: {reason}", file=sys.stderr)
    sides = ["python"] if reason is not None else ["js", "python"]
    rounds = 1 if args.quick or args.opcodes else args.rounds
    scale = QUICK_SCALE if args.quick else OPCODES_SCALE if args.opcodes else 1
    options = ["--opcodes"] if args.opcodes else []
    with tempfile.TemporaryDirectory(prefix="hypermultifeed-bench-") as folder:
        bench = Bench(Path(folder), sides, scale, options)
        for number in range(rounds):
            for measure in measures:
                print(f"round {number + 1} of {rounds}: {measure.name}", file=sys.stderr)
                for side in sides:
                    if side == "python" or not measure.python_only:
                        bench.measure(side, measure)
        rows = [bench.summary(measure) for measure in measures]
    if not args.opcodes:
        print(table(rows))
    if args.json is not None:
        about = {"python": platform.python_version(), "machine": platform.machine()}
        args.json.write_text(json.dumps({**about, "rounds": rounds, "measures": rows}, indent=2))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SideError as error:
        sys.exit(f"bench: {error}")
