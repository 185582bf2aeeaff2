"""One measure of Pkg Stats in a process of its own: ``python side.py MEASURE '{"folder": …}'``.

Prints one JSON object: what was measured, and the peak resident memory of this process. The
measures `listing` (or `made`), `index` and `build` fill a node's folder, each from what the one
before left there; the others read it.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import math
import random
import re
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager, closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypermultifeed import Corestore, Multifeed
from pkgstats import trust
from pkgstats.folder import SEARCH_FOLDER, STORE_FOLDER, VIEW_FILE, search_in
from pkgstats.group import SEARCH_KINDS, Group, admit, root_key
from pkgstats.indexer import Indexer, now_ms
from pkgstats.listing import Row, index_records
from pkgstats.network import Network
from pkgstats.node import Node
from pkgstats.records.blocks import encode_block
from pkgstats.search.index import connect
from pkgstats.search.parse import parse
from pkgstats.search.searcher import Searcher
from pkgstats.view.reading import View
from pkgstats.writer import Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

QUERY_SEED = 11
DEADLINE_S = 3600
ROWS_A_TIME = 250_000
TOOLS = Path(__file__).resolve().parents[2] / "tools"
SUGGESTED = 8
RESULTS = 10


def peak_bytes() -> int:
    """Peak resident memory, in bytes."""
    try:
        match = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    except OSError:
        match = None
    if match is not None:
        return int(match[1]) * 1024
    import resource  # noqa: PLC0415 - not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def own_bytes() -> int:
    """Memory that is this process's own now, without pages of files; 0 where that is not told."""
    try:
        match = re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())
    except OSError:
        match = None
    return int(match[1]) * 1024 if match else 0


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a folder, or of one file."""
    files = [folder] if folder.is_file() else folder.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def read_list(path: str) -> Iterator[Row]:
    """A list as npm lists are: name, version, downloads a month, summary."""
    with open(path, encoding="utf-8", newline="\n") as file:
        next(file)
        for line in file:
            name, version, downloads, summary = line.rstrip("\n").split("\t")
            yield Row(name, version, int(downloads), summary)


def group_of(folder: str) -> Group:
    """The group of a folder; both are made if need be."""
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    return Group.find(path) or Group.create(path)


def joined(folder: str, group: Group) -> Group:
    """A group in a new folder of somebody else."""
    Path(folder).mkdir(parents=True)
    return Group.join(Path(folder), group.key)


@asynccontextmanager
async def feeds(folder: str) -> AsyncIterator[tuple[Group, dict[str, Multifeed]]]:
    """The feeds that a searching peer has, without the rest of a node."""
    group = group_of(folder)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(Corestore(Path(folder) / STORE_FOLDER))
        multis = {}
        for kind in SEARCH_KINDS:
            multi = Multifeed(store, key=root_key(group.key, kind))
            multis[kind] = await stack.enter_async_context(multi)
        yield group, multis


async def listing(folder: str, rows: str) -> dict[str, float]:
    """A list from a file into signed feeds on disk, by one writer whom the group admits."""
    started = time.perf_counter()
    listed = sorted(read_list(rows), key=lambda row: (-row.downloads, row.name))
    return await _write(folder, iter(listed), started)


async def made(folder: str, rows: int) -> dict[str, float]:
    """As `listing`, but packages that do not exist, made by ``tools/corpus.py`` on the way."""
    sys.path.insert(0, str(TOOLS))
    corpus = importlib.import_module("corpus").corpus(rows)
    return await _write(folder, (Row(*row) for row in corpus), time.perf_counter())


async def _write(folder: str, rows: Iterator[Row], started: float) -> dict[str, float]:
    count = blocks = 0
    async with feeds(folder) as (group, multis):
        writer = await Writer.open(multis, title="bench", now=now_ms())
        while batch := list(islice(rows, ROWS_A_TIME)):
            records = index_records(batch, observed_at=now_ms(), source="list")
            blocks += await writer.append(records)
            count += len(batch)
        owner = await multis[trust.META].writer("group", key_pair=group.key_pair)
        await owner.append(encode_block([admit(None, writer.key, "crawler", now=now_ms())]))
        length = multis["index"].feeds()[0].byte_length
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "count": count, "blocks": blocks, "bytes": length}


async def index(folder: str) -> dict[str, float]:
    """From feeds to the view; feeds that are here from the start."""
    view = Path(folder) / VIEW_FILE
    async with feeds(folder) as (group, multis):
        own = Writer.keys(multis[trust.META], group.key)
        async with Indexer(view, group.key, multis, own=own) as indexer:
            started = time.perf_counter()
            await indexer.catch_up()
            seconds = time.perf_counter() - started
    with closing(View.open(view)) as opened:
        count = opened.counts().packages
    return {"seconds": seconds, "count": count, "bytes": folder_bytes(view)}


async def build(folder: str) -> dict[str, float]:
    """From the view to the search index."""
    async with search_in(Path(folder)) as search:
        started = time.perf_counter()
        done = await search.refresh()
        seconds = time.perf_counter() - started
    size = folder_bytes(Path(folder) / SEARCH_FOLDER)
    return {"seconds": seconds, "count": done.packages, "bytes": size}


def sample(folder: str, count: int) -> list[tuple[str, str]]:
    """Names and summaries of packages; half of them of the most downloaded hundredth."""
    chance = random.Random(QUERY_SEED)
    with closing(connect(newest_index(folder))) as database:
        (last,) = database.execute("select max(id) from search_doc").fetchone()
        ranks = [
            chance.randint(1, max(1, last // 100 if turn % 2 else last)) for turn in range(count)
        ]
        find = "select name, summary from search_doc where id = ?"
        return [row for rank in ranks for row in database.execute(find, (rank,))]


def queries(packages: list[tuple[str, str]]) -> Iterator[str]:
    """A name, its beginning, its words, a misspelt one, words of a summary: in turn."""
    chance = random.Random(QUERY_SEED)
    for turn, (name, summary) in enumerate(packages):
        words = re.findall(r"[A-Za-z0-9]+", name)
        place = chance.randrange(len(name))
        kinds = (
            name,
            name[: max(2, len(name) // 2)],
            " ".join(words),
            name[:place] + name[place + 1 :],
            " ".join(chance.sample(found, min(3, len(found))))
            if (found := summary.split())
            else name,
        )
        yield kinds[turn % len(kinds)].replace('"', "").replace(":", " ")


def typing(packages: list[tuple[str, str]]) -> Iterator[str]:
    """Every beginning of each name, as it is typed."""
    for name, _ in packages:
        yield from (name[:end] for end in range(1, len(name) + 1))


def newest_index(folder: str) -> Path:
    """The search index that counts."""
    found = (Path(folder) / SEARCH_FOLDER).glob("search-*.db")
    return max(found, key=lambda path: int(path.stem.partition("-")[2]))


async def latency(folder: str, count: int) -> dict[str, float]:
    """Whole searches in one thread, warm, from the query's text to ten explained results."""
    asked = list(queries(sample(folder, count)))
    with closing(Searcher(connect(newest_index(folder)))) as searcher:
        now = now_ms()

        def search(text: str) -> None:
            searcher.search(parse(text), RESULTS, 1, now)

        return {"count": len(asked), **quantiles(search, asked)}


async def suggest(folder: str, count: int) -> dict[str, float]:
    """Suggestions after each letter of a name, in one thread, warm."""
    typed = list(typing(sample(folder, count)))
    with closing(Searcher(connect(newest_index(folder)))) as searcher:
        return {
            "count": len(typed),
            **quantiles(lambda text: searcher.suggest(text, SUGGESTED), typed),
        }


def quantiles(work: Callable[[str], object], texts: list[str]) -> dict[str, float]:
    """Milliseconds, all texts twice; the first round warms caches up and is not counted."""
    for text in texts[: len(texts) // 2]:
        work(text)
    taken = []
    for text in texts:
        started = time.perf_counter()
        work(text)
        taken.append((time.perf_counter() - started) * 1e3)
    taken.sort()
    at = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
    return {
        name: taken[min(len(taken) - 1, int(len(taken) * part))] for name, part in at.items()
    } | {"seconds": math.fsum(taken) / 1e3}


FIRST = """
import asyncio, sys
from pathlib import Path
from pkgstats.folder import search_in

async def main(folder):
    async with search_in(folder) as search:
        print((await search.search(sys.argv[2])).hits[0].name, flush=True)

asyncio.run(main(Path(sys.argv[1])))
"""


async def cold(folder: str, query: str) -> dict[str, float]:
    """From the start of a process to its first answer, imports of Python included."""
    started = time.perf_counter()
    command = [sys.executable, "-c", FIRST, folder, query]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    answer = await process.stdout.readline()
    seconds = time.perf_counter() - started
    if await process.wait() or not answer:
        raise SystemExit("cold: no answer")
    return {"seconds": seconds, "count": 1}


async def replicate(folder: str, to: str) -> dict[str, float]:
    """All that a searching peer needs, over TCP on this machine, into its view."""
    group = group_of(folder)
    theirs = joined(to, group)
    async with Node(folder, group, network=Network.only_loopback(), kinds=SEARCH_KINDS) as source:
        with closing(View.open(source.view_path)) as view:
            wanted = view.counts().packages
        started = time.perf_counter()
        network = Network.only_loopback(*source.addresses)
        async with Node(to, theirs, network=network, kinds=SEARCH_KINDS) as reader:
            await _until_viewed(reader, wanted)
            seconds = time.perf_counter() - started
            assert reader.network is not None
            report = reader.network.report()
        with (
            closing(View.open(source.view_path)) as one,
            closing(View.open(Path(to) / VIEW_FILE)) as two,
        ):
            same = one.view_hash() == two.view_hash()
    return {
        "seconds": seconds,
        "count": wanted,
        "bytes": report.bytes_received + report.bytes_sent,
        "same_hash": same,
    }


async def _until_viewed(reader: Node, wanted: int) -> None:
    """Wait until a node's view has so many packages."""
    woken = asyncio.Event()
    reader.indexer.listen(lambda _: woken.set())
    with closing(View.open(reader.view_path)) as view:
        async with asyncio.timeout(DEADLINE_S):
            while view.counts().packages < wanted:
                await woken.wait()
                woken.clear()


MEASURES: dict[str, Callable[..., Awaitable[dict[str, float]]]] = {
    "listing": listing,
    "made": made,
    "index": index,
    "build": build,
    "latency": latency,
    "suggest": suggest,
    "cold": cold,
    "replicate": replicate,
}


async def run(name: str, arguments: dict[str, Any]) -> dict[str, float]:
    return await MEASURES[name](**arguments)


def main(argv: list[str]) -> int:
    name, text = argv
    result = asyncio.run(run(name, json.loads(text)))
    print(json.dumps({**result, "peak_bytes": peak_bytes(), "own_bytes": own_bytes()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
