"""hypercore 9.12.0, suite ack.js: who has stored what we sent."""

from __future__ import annotations

import asyncio
from typing import Any

LETTERS = [bytes([byte]) for byte in b"ABCDEFGHIJKLMNO"]


class Acks:
    """The indexes that one stream's peer acknowledged."""

    def __init__(self, stream: Any) -> None:
        self.indexes: list[int] = []
        self.arrived = asyncio.Event()
        stream.on_ack = self.note

    def note(self, start: int, length: int) -> None:
        self.indexes += range(start, start + length)
        self.arrived.set()

    async def all(self, *expected: int) -> None:
        """Wait for as many as expected, and compare."""
        while len(self.indexes) < len(expected):
            self.arrived.clear()
            await self.arrived.wait()
        assert sorted(self.indexes) == sorted(expected)


async def filled(core: Any, *blocks: bytes) -> Any:
    feed = await core()
    await feed.extend(blocks)
    return feed


async def test_replicate_with_ack(core: Any, join: Any) -> None:
    """hypercore/ack "replicate with ack"."""
    feed = await core()
    clone = await core(feed.key)
    left = feed.replicate(initiator=True, ack=True)
    acks = Acks(left)
    join(left, clone.replicate(initiator=False))
    await feed.extend([b"a", b"b", b"c"])
    await acks.all(0, 1, 2)


async def test_ack_only_when_something_is_downloaded(core: Any, join: Any, replicate: Any) -> None:
    """hypercore/ack "ack only when something is downloaded"."""
    feed = await filled(core, b"a", b"b", b"c")
    clone = await core(feed.key)
    await replicate(clone, feed).ended()
    await feed.extend([b"d", b"e"])
    left = feed.replicate(initiator=True, ack=True, live=False)
    acks = Acks(left)
    await join(left, clone.replicate(initiator=False, live=False)).ended()
    await acks.all(3, 4)


async def two_clones(core: Any, join: Any, ours: list[Any], theirs: list[Any]) -> list[list[int]]:
    """Two readers of one feed at once; what each of the four streams was acknowledged."""
    feed = await filled(core, b"a", b"b", b"c")
    joined, acks = [], []
    for our_ack, their_ack in zip(ours, theirs, strict=True):
        clone = await core(feed.key)
        left = feed.replicate(initiator=True, live=False, ack=our_ack)
        right = clone.replicate(initiator=False, live=False, ack=their_ack)
        acks += [Acks(left), Acks(right)]
        joined.append(join(left, right))
    for each in joined:
        await each.ended()
    return [sorted(each.indexes) for each in acks]


async def test_simultaneous_replication_with_ack_and_no_ack(core: Any, join: Any) -> None:
    """hypercore/ack "simultaneous replication with ack and no-ack"."""
    acks = await two_clones(core, join, [True, False], [False, False])
    assert acks == [[0, 1, 2], [], [], []]


async def test_simultaneous_replication_with_two_acks(core: Any, join: Any) -> None:
    """hypercore/ack "simultaneous replication with two acks"."""
    acks = await two_clones(core, join, [True, True], [False, False])
    assert acks == [[0, 1, 2], [], [0, 1, 2], []]


async def test_acks_where_clones_should_not_ack(core: Any, join: Any) -> None:
    """hypercore/ack "acks where clones should not ack"."""
    acks = await two_clones(core, join, [True, True], [True, True])
    assert acks == [[0, 1, 2], [], [0, 1, 2], []]


async def test_transitive_clone_acks(core: Any, join: Any) -> None:
    """hypercore/ack "transitive clone acks"."""
    feed = await filled(core, b"a", b"b", b"c")
    first, second = await core(feed.key), await core(feed.key)
    streams = [
        feed.replicate(initiator=True, ack=True),
        first.replicate(initiator=False, ack=True),
        first.replicate(initiator=True, ack=True),
        second.replicate(initiator=False, ack=True),
    ]
    acks = [Acks(stream) for stream in streams]
    join(streams[0], streams[1])
    join(streams[2], streams[3])
    await acks[0].all(0, 1, 2)
    await acks[2].all(0, 1, 2)
    assert acks[1].indexes == acks[3].indexes == []
    assert second.has(0, 3)


# (a, b): core a dials core b; a letter: core 0 appends it. What is exchanged each time follows
# from who has what.
GOSSIP: list[tuple[int, int] | str] = [
    "A", (0, 1), "B", "C", (1, 2), (0, 1), "D", "E", "F", (0, 3), (2, 3), (3, 4), (1, 4), "G",
    (5, 2), (0, 6), (5, 6), (5, 3), "H", "I", (0, 7), (3, 7), (7, 5), "J", (6, 0), (2, 6),
]  # fmt: skip


async def test_larger_gossip_network_acks(core: Any, join: Any) -> None:
    """hypercore/ack "larger gossip network acks"."""
    feed = await core()
    cores = [feed, *[await core(feed.key) for _ in range(7)]]
    for step in GOSSIP:
        if isinstance(step, str):
            await feed.append(step.encode())
            continue
        pair = [cores[number] for number in step]
        before = [{index for index in range(feed.length) if each.has(index)} for each in pair]
        left = pair[0].replicate(initiator=True, live=False, ack=True)
        right = pair[1].replicate(initiator=False, live=False, ack=True)
        acks = [Acks(left), Acks(right)]
        await join(left, right).ended()
        assert sorted(acks[0].indexes) == sorted(before[0] - before[1])
        assert sorted(acks[1].indexes) == sorted(before[1] - before[0])
        for each in pair:
            assert each.downloaded() == len(before[0] | before[1])
