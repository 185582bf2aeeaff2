"""Pages under load while facts come in: does replication keep its speed? Prints JSON.

::

    python run.py bench load [--seconds 60] [--rate 2000] [--packages 200000] [--rounds 1]

Four processes on loopback: a writer who tells of packages that do not exist, one list of all of
them after the other, and faster than anybody takes them in; `pkgstats serve`, who replicates,
verifies, merges and indexes them, and the process of its pages; and one that offers mixed requests
to these at a rate. Time without requests and time with them take turns. The ratio is that of
packages a second that reach the view, with requests to without.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from bench.pkgstats.wire import Wire  # noqa: E402 - the root is not on the path before
from tools.corpus import corpus  # noqa: E402

from pkgstats.folder import VIEW_FILE  # noqa: E402
from pkgstats.view.reading import View  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 5
PATHS = 4000
HOT = 400
"""Packages whose pages are asked for, the first ones more often."""

LOOK_EVERY_S = 0.05
SPEED_MAX = 60_000
"""Packages a second that nobody takes in: so many lists are made."""


@contextmanager
def child(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A process of ours, ended with the block."""
    process = subprocess.Popen(
        [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def line_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a process says next."""
    stream: IO[str] | None = process.stdout
    assert stream is not None
    text = stream.readline()
    if not text:
        raise SystemExit("bench: a process has ended early; the writer, if SPEED_MAX is too low")
    if text == "{\n":  # what is for people, too, has several lines
        text += "".join(iter(stream.readline, "}\n")) + "}"
    told: dict[str, Any] = json.loads(text)
    return told


def mixed(names: list[str]) -> list[str]:
    """Paths as people and programs ask for them."""
    chance = random.Random(SEED)
    words = [name.rpartition("/")[2].partition("-")[0] for name in names]
    makers = (
        (45, lambda name, _: f"/package/{name}"),
        (20, lambda _, word: f"/search?q={quote(word)}"),
        (10, lambda name, _: f"/package/{name}.json"),
        (5, lambda name, _: f"/badge/version/{name}.svg"),
        (5, lambda name, _: f"/package/{name}/versions"),
        (5, lambda *_: "/"),
        (5, lambda *_: "/popular"),
        (5, lambda _, word: f"/suggest?q={quote(word)}"),
    )
    chosen = chance.choices([maker for _, maker in makers], [part for part, _ in makers], k=PATHS)
    places = [min(HOT - 1, int(chance.expovariate(8 / HOT))) for _ in range(PATHS)]
    return [maker(names[at], words[at]) for maker, at in zip(chosen, places, strict=True)]


class Writer:
    """The process that tells of packages."""

    def __init__(self, process: subprocess.Popen[str], packages: int) -> None:
        self._process = process
        self._packages = packages
        self.told = line_of(process)

    def keep_ahead(self, taken: int) -> None:
        """Have one more list told if less than a whole one is still to be taken in."""
        if self.told["records"] - taken < self.told["list"]:
            assert self._process.stdin is not None
            self._process.stdin.write("\n")
            self._process.stdin.flush()
            self.told = line_of(self._process)

    def packages(self, records: float) -> float:
        """So many records tell of so many packages, about."""
        return records * self._packages / float(self.told["list"])


def taken_in(view: Path, writer: Writer, seconds: float) -> float:
    """Packages a second that reach the view."""
    began, first = time.perf_counter(), records_in(view)
    while (passed := time.perf_counter() - began) < seconds:
        time.sleep(LOOK_EVERY_S)
        writer.keep_ahead(records_in(view))
    return writer.packages(records_in(view) - first) / passed


def records_in(view: Path) -> int:
    """How many records of the index the view was made from so far."""
    if not view.exists():
        return 0
    with View.open(view) as opened:
        return sum(one.cores["index"].records for one in opened.writers() if "index" in one.cores)


async def searchable(pages: str, name: str) -> None:
    """Until the search index has a package."""
    async with Wire(pages) as wire:
        while True:
            answer = await wire.get(f"/api/search?size=3&q={quote(name)}")
            told = json.loads(answer.body) if answer.status == 200 else {"results": []}
            if any(one["name"] == name for one in told["results"]):
                return
            await asyncio.sleep(1)


@contextmanager
def offered(pages: str, rate: float, seconds: float, paths: list[str]) -> Iterator[dict[str, Any]]:
    """While requests come in; what became of them is told after the block."""
    command = [str(HERE / "offering.py"), pages, str(rate), str(seconds)]
    found: dict[str, Any] = {}
    with child(*command) as offering:
        assert offering.stdin is not None
        offering.stdin.write(json.dumps(paths))
        offering.stdin.close()
        offering.stdin = None
        yield found
        found |= line_of(offering)


def measure(work: Path, asked: argparse.Namespace) -> dict[str, Any]:
    names = [row.name for row in islice(corpus(asked.packages), HOT)]
    *_, last = corpus(asked.packages)
    paths = mixed(names)
    lists = 2 + int(2 * asked.rounds * asked.seconds * SPEED_MAX / asked.packages)
    share = (str(HERE / "sharing.py"), str(work / "writer"), str(asked.packages), str(lists))
    alone, loaded, loads = [], [], []
    with child(*share) as sharing:
        writer = Writer(sharing, asked.packages)
        serve = ["-P", "-m", "pkgstats", "serve", "--data", str(work / "reader"), "--search-only"]
        serve += ["--group", writer.told["group"], "--peer", f"127.0.0.1:{writer.told['port']}"]
        with child(*serve, "--port", "0", "--json") as serving:
            pages, view = line_of(serving)["pages"], work / "reader" / VIEW_FILE
            asyncio.run(searchable(pages, last.name))
            for _ in range(asked.rounds):
                alone.append(taken_in(view, writer, asked.seconds))
                print("alone", alone[-1], file=sys.stderr)
                with offered(pages, asked.rate, asked.seconds, paths) as load:
                    loaded.append(taken_in(view, writer, asked.seconds))
                loads.append(load)
                print("loaded", loaded[-1], load, file=sys.stderr)
    speeds = {"alone": statistics.median(alone), "loaded": statistics.median(loaded)}
    return {
        "packages a second": speeds,
        "ratio": speeds["loaded"] / speeds["alone"],
        "load": loads,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="without requests, and with them")
    parser.add_argument("--rate", type=float, default=2000, help="requests a second")
    parser.add_argument("--packages", type=int, default=200_000, help="of each list")
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        print(json.dumps(measure(Path(work), asked), indent=2))


if __name__ == "__main__":
    main()
