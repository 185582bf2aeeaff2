"""Pages under load while facts come in: does replication keep its speed? Prints JSON.

::

    python run.py bench load [--rows 400000] [--rate 2000] [--rounds 2]

Four processes on loopback: a writer who appends packages that do not exist; `pkgstats serve`, who
replicates, verifies, merges and indexes them, and the process of its pages; and one that offers
mixed requests to these at a rate. Parts of ``--rows`` packages are taken in one after the other,
alternately without requests and with them, for as long as the part takes. The ratio is that of
packages a second, from append to view, with requests to without.
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
LOAD_S_MIN = 1.0
"""Requests are offered for so long at least, however soon a small part is taken in."""


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


def taken_in(view: Path, wanted: int) -> float:
    """Seconds until so many of the writer's records are merged into the view."""
    began = time.perf_counter()
    while records_in(view) < wanted:
        time.sleep(LOOK_EVERY_S)
    return time.perf_counter() - began


def records_in(view: Path) -> int:
    """How many records of the index the view was made from so far."""
    if not view.exists():
        return 0
    with View.open(view) as opened:
        return sum(one.cores["index"].records for one in opened.writers() if "index" in one.cores)


async def quiet(pages: str, name: str) -> None:
    """Until the search index has the last package, too."""
    async with Wire(pages) as wire:
        while True:
            answer = await wire.get(f"/api/search?size=3&q={quote(name)}")
            told = json.loads(answer.body) if answer.status == 200 else {"results": []}
            if any(one["name"] == name for one in told["results"]):
                return
            await asyncio.sleep(1)


def part_with(
    view: Path, pages: str, sharing: subprocess.Popen[str], offered: dict[str, Any]
) -> dict[str, Any]:
    """Take in one part, while requests come in if there is a rate."""
    if not offered:
        return {
            "told": (told := more(sharing)),
            "s": taken_in(view, told["records"]),
        }
    command = [str(HERE / "offering.py"), pages, str(offered["rate"]), str(offered["seconds"])]
    with child(*command) as offering:
        assert offering.stdin is not None
        offering.stdin.write(json.dumps(offered["paths"]))
        offering.stdin.close()
        offering.stdin = None
        told = more(sharing)
        seconds = taken_in(view, told["records"])
        return {"told": told, "s": seconds, "load": line_of(offering)}


def more(sharing: subprocess.Popen[str]) -> dict[str, Any]:
    """Let the writer append the next part."""
    assert sharing.stdin is not None
    sharing.stdin.write("\n")
    sharing.stdin.flush()
    return line_of(sharing)


def measure(work: Path, rows: int, rate: float, rounds: int) -> dict[str, Any]:
    names = []
    lasts = []
    for number, row in enumerate(corpus(rows * (1 + 2 * rounds)), 1):
        if number <= HOT:
            names.append(row.name)
        if number % rows == 0:
            lasts.append(row.name)
    paths = mixed(names)
    share = (str(HERE / "sharing.py"), str(work / "writer"), str(rows), str(1 + 2 * rounds))
    runs: dict[str, list[dict[str, Any]]] = {"alone": [], "loaded": []}
    with child(*share) as sharing:
        first = line_of(sharing)
        serve = ["-P", "-m", "pkgstats", "serve", "--data", str(work / "reader"), "--search-only"]
        serve += ["--group", first["group"], "--peer", f"127.0.0.1:{first['port']}"]
        with child(*serve, "--port", "0", "--json") as serving:
            pages, view = line_of(serving)["pages"], work / "reader" / VIEW_FILE
            taken_in(view, first["records"])
            asyncio.run(quiet(pages, lasts[0]))
            for number in range(2 * rounds):
                kind = "loaded" if number % 2 else "alone"
                last = max([LOAD_S_MIN, *(one["s"] for one in runs["alone"])])
                offered = {"rate": rate, "seconds": last, "paths": paths} if number % 2 else {}
                runs[kind].append(part_with(view, pages, sharing, offered))
                print(kind, runs[kind][-1], file=sys.stderr)
                asyncio.run(quiet(pages, lasts[number + 1]))
    speeds = {
        kind: rows / statistics.median(one["s"] for one in found) for kind, found in runs.items()
    }
    return {
        "packages a second": speeds,
        "ratio": speeds["loaded"] / speeds["alone"],
        "load": [one["load"] for one in runs["loaded"]],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--rate", type=float, default=2000)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        print(json.dumps(measure(Path(work), asked.rows, asked.rate, asked.rounds), indent=2))


if __name__ == "__main__":
    main()
