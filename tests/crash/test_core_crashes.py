"""A crash at any write of one core: its creation, single appends, batches, and clearing.

With ``"full"`` what was acknowledged is there; with ``"relaxed"`` there is an older state. In both
the blocks are the first ones of those appended, whatever is here verifies, and the core goes on.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, NamedTuple

import pytest
from tests.crash.simulated_disk import CrashCollector, SimulatedDisk, simulated_files

from hypermultifeed.hypercore import Hypercore
from hypermultifeed.keys import KeyPair

if TYPE_CHECKING:
    from hypermultifeed.storage import Durability

PAIR = KeyPair.from_seed(b"\x09" * 32)


class Acknowledged(NamedTuple):
    """How many blocks there were, and which of them may be gone because they were cleared."""

    length: int
    cleared: frozenset[int]


async def work(
    crashes: CrashCollector, choice: random.Random, durability: Durability
) -> list[bytes]:
    """Append, append batches and clear; every block that was ever given to append."""
    blocks: list[bytes] = []
    cleared: set[int] = set()
    crashes.mark = Acknowledged(0, frozenset())
    disk = SimulatedDisk(crashes.observe)
    async with Hypercore(simulated_files(disk), key_pair=PAIR, durability=durability) as core:
        for _ in range(8):
            batch = [
                choice.randbytes(choice.choice((0, 1, 100, 5000)))
                for _ in range(choice.choice((1, 1, 2, 9)))
            ]
            blocks += batch
            await core.extend(batch)
            crashes.mark = Acknowledged(len(blocks), frozenset(cleared))
            if choice.random() < 0.4:
                start = choice.randrange(len(blocks))
                stop = min(len(blocks), start + choice.choice((1, 3)))
                cleared |= set(range(start, stop))
                crashes.mark = Acknowledged(len(blocks), frozenset(cleared))
                await core.clear(start, stop)
    return blocks


async def look(
    disk: SimulatedDisk, mark: Acknowledged, blocks: list[bytes], durability: Durability
) -> None:
    """Reopen, compare, go on, and reopen once more."""
    expected = list(blocks)
    for _ in range(2):
        async with Hypercore(simulated_files(disk), key_pair=PAIR, durability=durability) as core:
            if durability == "full":
                assert core.length >= mark.length
            for index in range(core.length):
                if core.has(index):
                    assert await core.get(index) == expected[index]
                else:
                    assert index in mark.cleared
            assert (await core.audit()).invalid == 0
            del expected[core.length :]
            expected.append(b"after the crash")
            assert await core.append(expected[-1]) == len(expected) - 1


async def run(seed: int, durability: Durability, shown: int) -> int:
    choice = random.Random(seed)
    crashes = CrashCollector(choice, samples=1)
    blocks = await work(crashes, choice, durability)
    states = crashes.states
    for crash in choice.sample(states, min(shown, len(states))):
        try:
            await look(crash.disk, crash.mark, blocks, durability)
        except BaseException as error:
            error.add_note(f"seed {seed}, {durability}, {crash.label}")
            raise
    return len(states)


@pytest.mark.parametrize("durability", ["full", "relaxed"])
@pytest.mark.parametrize("seed", range(3))
def test_a_core_is_what_it_was_after_any_crash(seed: int, durability: Durability) -> None:
    assert asyncio.run(run(seed, durability, shown=120)) > 60
