"""How long pages take, beside a bare page of Starlette in the same run. Prints JSON.

::

    python run.py bench pages [--requests 1000]

Each figure is the median of so many requests over one connection on loopback; requests of all
kinds take turns, the bare page before each other one: so all of them find the machine alike.

* ``bare``: 16 kB that a Starlette handler returns, served by the same server;
* ``package``: one package's page, which the view's state has not changed since;
* ``package first``: pages of packages that nobody has looked at since the start;
* ``search first``: results that nobody has asked for; ``search`` is the search alone, asked of the
  engine in this process.
* ``first paint``: the largest contentful paint of a package's page in Chromium, if it is there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench.pkgstats.wire import Wire  # noqa: E402 - the root is not on the path before
from tools.ground import HYPER, make_ground  # noqa: E402

from pkgstats.dataset import shipped  # noqa: E402
from pkgstats.folder import search_in  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pkgstats.search.engine import Search

SEED = 7
PAINT = """new Promise((done) => new PerformanceObserver((list) =>
  done(list.getEntries().at(-1).startTime)
).observe({type: "largest-contentful-paint", buffered: true}))"""


@contextmanager
def running(*command: str) -> Iterator[str]:
    """A process of ours that says its address first; a line of JSON, or the address itself."""
    process = subprocess.Popen(
        [sys.executable, "-P", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if line == "{\n":
        line += "".join(iter(process.stdout.readline, "}\n"))
        line = json.loads(f"{line}}}")["pages"]
    try:
        yield line.strip()
    finally:
        process.terminate()
        process.communicate(timeout=30)


async def asked(wire: Wire, path: str) -> float:
    """What a page takes, in ms."""
    answer = await wire.get(path)
    assert answer.status == 200, (path, answer.status)
    return answer.seconds * 1000


async def searched(search: Search, query: str) -> float:
    """What the engine takes, in ms."""
    began = time.perf_counter()
    await search.search(query)
    return (time.perf_counter() - began) * 1000


async def measure(folder: Path, pages: str, bare: str, requests: int) -> dict[str, float]:
    """Medians, in ms."""
    chance = random.Random(SEED)
    names = [row.name for row in shipped() if "/" not in row.name]
    words = sorted({word for name in names for word in name.split("-") if len(word) > 3})
    chance.shuffle(names)
    chance.shuffle(words)
    known = f"/package/{HYPER[0].name}"
    found: dict[str, list[float]] = {}
    async with Wire(pages) as wire, Wire(bare) as plain, search_in(folder) as search:
        await asked(wire, known)
        for name, word in islice(zip(names, words, strict=False), requests):
            for kind, ms in (
                ("bare", await asked(plain, "/")),
                ("package", await asked(wire, known)),
                ("bare", await asked(plain, "/")),
                ("package first", await asked(wire, f"/package/{name}")),
                ("bare", await asked(plain, "/")),
                ("search first", await asked(wire, f"/search?q={word}")),
                ("bare", await asked(plain, "/")),
                ("search", await searched(search, word)),
            ):
                found.setdefault(kind, []).append(ms)
    return {kind: statistics.median(all_) for kind, all_ in found.items()}


def first_paint(pages: str) -> float | None:
    """Of a package's page, in ms; None without Chromium."""
    path = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if path is None:
        return None
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        found = []
        for _ in range(5):
            page = browser.new_page()
            page.goto(f"{pages}/package/{HYPER[0].name}", wait_until="load")
            found.append(float(page.evaluate(PAINT)))
            page.close()
        browser.close()
    return statistics.median(found)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=1000)
    requests = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "node"
        asyncio.run(make_ground(folder))
        serve = (
            "-m",
            "pkgstats",
            "serve",
            "--data",
            str(folder),
            "--offline",
            "--port",
            "0",
            "--json",
        )
        with running(*serve) as pages, running(str(Path(__file__).with_name("bare.py"))) as bare:
            found = asyncio.run(measure(folder, pages, bare, requests))
            paint = first_paint(pages)
    ratios = {
        "package / bare": found["package"] / found["bare"],
        "package first / bare": found["package first"] / found["bare"],
        "(search first - search) / bare": (found["search first"] - found["search"]) / found["bare"],
    }
    told = {"ms": found | {"first paint": paint}, "ratios": ratios}
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
