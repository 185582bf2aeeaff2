"""A writer's feeds on a port, and blocks appended when asked; a process of its own.

    python sharing.py FOLDER ROWS PHASES

Prints a line of JSON with the group and the port once the first ``ROWS`` packages are told, and
one with what is told by now after each further part, which a line on standard input
asks for. All blocks are made before the first line: appending costs little.
"""

from __future__ import annotations

import asyncio
import json
import sys
from itertools import islice
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


def parts(rows: int, count: int) -> Iterator[tuple[list[bytes], int]]:
    """Blocks of the first packages that do not exist, of the next ones, and so on; and records."""
    made = (Row(*row) for row in corpus(rows * count))
    for _ in range(count):
        listed = list(islice(made, rows))
        records = list(index_records(listed, observed_at=now_ms(), source="list"))
        yield list(split_blocks(records)), len(records)


async def main(folder: str, rows: int, count: int) -> None:
    blocks = list(parts(rows, count))
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
            for number, (part, more) in enumerate(blocks):
                records += more
                await writer.feeds["index"].extend(part)
                told = {"packages": rows * (number + 1), "records": records}
                place = {"group": group.key.hex(), "port": network.addresses[0][1]}
                print(json.dumps(told | place), flush=True)
                await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
