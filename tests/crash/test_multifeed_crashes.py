"""A crash at any write of a multifeed: its creation, its writers, the list of feeds, appends.

What was acknowledged is there after reopening, under its name and still writable; every feed
goes on from where it is, and a fresh replica of it verifies.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from tests.crash.simulated_disk import CrashCollector, SimulatedDisk, simulated_files

from hypermultifeed.keys import KeyPair
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.storage import memory
from hypermultifeed.stream import link

if TYPE_CHECKING:
    from hypermultifeed.hypercore import Hypercore
    from hypermultifeed.storage import StorageFactory

ROOT = b"\x07" * 32


class Acknowledged(NamedTuple):
    """What must be found from some moment on."""

    feeds: dict[bytes, list[Any]]
    names: dict[str, bytes]
    own: frozenset[bytes]


def opened(storage: StorageFactory) -> Multifeed:
    return Multifeed(storage, key=ROOT, value_encoding="json")


async def blocks(feed: Hypercore) -> list[Any]:
    return [await feed.get(index) for index in range(feed.length) if feed.has(index)]


async def work(crashes: CrashCollector, choice: random.Random, other: Multifeed) -> None:
    """Do everything that writes, and mark what was acknowledged."""
    feeds: dict[bytes, list[Any]] = {}
    names: dict[str, bytes] = {}
    own: set[bytes] = set()

    def acknowledge() -> None:
        copied = {key: list(values) for key, values in feeds.items()}
        crashes.mark = Acknowledged(copied, dict(names), frozenset(own))

    acknowledge()
    async with opened(simulated_files(SimulatedDisk(crashes.observe))) as multi:
        for number in range(3):
            for name in (f"w{number}", None):
                pair = KeyPair.from_seed(choice.randbytes(32)) if choice.random() < 0.4 else None
                writer = await multi.writer(name, key_pair=pair)
                feeds[writer.key] = []
                own.add(writer.key)
                if name is not None:
                    names[name] = writer.key
                acknowledge()
                values = [choice.randrange(10**9) for _ in range(choice.randrange(1, 4))]
                await writer.extend(values)
                feeds[writer.key] += values
                acknowledge()
        remote = [feed.key for feed in other.feeds()]
        await link(multi.replicate(True, live=False), other.replicate(False, live=False))  # noqa: FBT003
        feeds.update({key: [] for key in remote})  # known; their blocks can be fetched again
        acknowledge()


async def look(disk: SimulatedDisk, mark: Acknowledged) -> None:
    """Reopen, compare, go on, and replicate."""
    multi = opened(simulated_files(disk))
    async with multi, opened(memory()) as replica:
        found = {feed.key: feed for feed in multi.feeds()}
        for key, values in mark.feeds.items():
            assert key in found, "an acknowledged feed is gone"
            assert (await blocks(found[key]))[: len(values)] == values
            assert found[key].writable == (key in mark.own)
        for name, key in mark.names.items():
            assert (await multi.writer(name)).key == key
        for feed in found.values():
            if feed.writable:
                await feed.append("after the crash")
        await (await multi.writer("new")).append("new")
        await link(multi.replicate(True, live=False), replica.replicate(False, live=False))  # noqa: FBT003
        for feed in multi.feeds():
            copy = replica.feed(feed.key)
            assert copy is not None
            assert await blocks(copy) == await blocks(feed)


async def run(seed: int, shown: int) -> int:
    choice = random.Random(seed)
    crashes = CrashCollector(choice, samples=1)
    async with opened(memory()) as other:
        for name in "ab":
            await (await other.writer(name)).extend([name] * 3)
        await work(crashes, choice, other)
    states = crashes.states
    for crash in choice.sample(states, min(shown, len(states))):
        try:
            await look(crash.disk, crash.mark)
        except BaseException as error:
            error.add_note(f"seed {seed}, {crash.label}")
            raise
    return len(states)


@pytest.mark.parametrize("seed", range(3))
def test_what_was_acknowledged_is_there_after_any_crash(seed: int) -> None:
    assert asyncio.run(run(seed, shown=40)) > 300
