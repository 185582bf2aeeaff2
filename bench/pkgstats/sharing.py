"""A writer's feeds on a port, and lists of packages appended when asked; a process of its own.

    python sharing.py FOLDER PACKAGES LISTS

Prints a line of JSON with the group and the port once the first list of so many packages is told,
and one with what is told by now after each further list, which a line on standard input asks for:
the same packages, seen a day later with other downloads, as who crawls tells them. All blocks are
made before the first line: appending costs little.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench.pkgstats.side import feeds  # noqa: E402 - the root is not on the path before
from tools.corpus import corpus  # noqa: E402

from hypermultifeed import Networker  # noqa: E402
from pkgstats import trust  # noqa: E402
from pkgstats.group import admit  # noqa: E402
from pkgstats.indexer import now_ms  # noqa: E402
from pkgstats.listing import Row, index_records  # noqa: E402
from pkgstats.records.blocks import encode_block, split_blocks  # noqa: E402
from pkgstats.writer import Writer  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY_MS = 86_400_000


def lists(packages: int, count: int) -> Iterator[tuple[list[bytes], int]]:
    """Blocks of the list on one day, on the next one, and so on; and how many records."""
    rows = [Row(*row) for row in corpus(packages)]
    began = now_ms() - count * DAY_MS
    for day in range(count):
        seen = [row._replace(downloads=row.downloads + day) for row in rows]
        records = list(index_records(seen, observed_at=began + day * DAY_MS, source="list"))
        yield list(split_blocks(records)), len(records)


async def main(folder: str, packages: int, count: int) -> None:
    days = list(lists(packages, count))
    async with feeds(folder) as (group, multis):
        writer = await Writer.open(multis, title="bench", now=now_ms())
        owner = await multis[trust.META].writer("group", key_pair=group.key_pair)
        await owner.append(encode_block([admit(None, writer.key, "crawler", now=now_ms())]))
        store = multis[trust.META].corestore
        network = Networker(store, dht=False, mdns=False, host="127.0.0.1", allow_loopback=True)
        async with network:
            for multi in multis.values():
                await network.swarm(multi)
            records = 0
            for blocks, more in days:
                records += more
                await writer.feeds["index"].extend(blocks)
                told = {"records": records, "list": more}
                place = {"group": group.key.hex(), "port": network.addresses[0][1]}
                print(json.dumps(told | place), flush=True)
                await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
