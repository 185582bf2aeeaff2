"""A process that is killed, for real, while it commits: nothing it acknowledged is lost."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hypermultifeed.storage import Durability, Storage, files

if TYPE_CHECKING:
    from pathlib import Path

WRITER = """
import asyncio, sys
from hypermultifeed.storage import Write, files

async def main():
    storage = files(sys.argv[1])(sys.argv[2])
    size = int(sys.argv[3])
    count = int.from_bytes(storage.read("count", 0, 8), "big")
    while True:
        block = count.to_bytes(4, "big") * (size // 4)
        count += 1
        storage.commit([
            Write("data", (count - 1) * size, block),
            Write("tree", (count - 1) * 8, count.to_bytes(8, "big")),
            Write("count", 0, count.to_bytes(8, "big")),
        ])
        await storage.sync()
        print(count, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("durability", "block_bytes"), [("full", 400), ("full", 200_000), ("relaxed", 200_000)]
)
async def test_what_was_acknowledged_before_the_kill_is_there(
    tmp_path: Path, durability: Durability, block_bytes: int
) -> None:
    rng = random.Random(block_bytes)
    count = 0
    for _ in range(4):
        acknowledged = run_and_kill(tmp_path, durability, block_bytes, rng.randrange(5, 150))
        storage = files(tmp_path)("full")
        before, count = count, int.from_bytes(storage.read("count", 0, 8), "big")
        assert count >= acknowledged > before
        check_content(storage, count, block_bytes)
        await storage.close()
    assert sorted(os.listdir(tmp_path)) == ["count", "data", "tree"]


def run_and_kill(folder: Path, durability: str, block_bytes: int, lines: int) -> int:
    """Let a writer acknowledge so many commits, kill it; the last count that it printed."""
    arguments = [str(folder), durability, str(block_bytes)]
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        printed = [writer.stdout.readline() for _ in range(lines)]
        writer.kill()
        printed += [line for line in writer.stdout if line.endswith(b"\n")]
    return int(printed[-1])


def check_content(storage: Storage, count: int, block_bytes: int) -> None:
    assert storage.size("data") == count * block_bytes
    assert storage.size("tree") == count * 8
    for number in range(count):
        block = storage.read("data", number * block_bytes, block_bytes)
        assert block == number.to_bytes(4, "big") * (block_bytes // 4)
        assert storage.read("tree", number * 8, 8) == (number + 1).to_bytes(8, "big")
