"""Our half of the benchmarks: ``python side.py MEASURE '{"folder": ..., "count": ...}'``.

Prints one JSON object: seconds, and the peak resident memory of this process. The same measures
are in ``js/side.js``. With ``--profile`` the functions that took longest go to standard error, with
``--opcodes`` those that executed most bytecodes. The latter does not vary from run to run, and for
small blocks it is what time goes into: hashes and cipher are about a twentieth.
"""

from __future__ import annotations

import asyncio
import cProfile
import json
import pstats
import re
import sys
import time
from asyncio.subprocess import PIPE
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypermultifeed import DhtNode, Hypercore, Multifeed, Networker, link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from types import CodeType, FrameType

    from hypermultifeed import ReplicationStream

ROOT_KEY = b"\x11" * 32
PREPARED_BATCH = 1000
PROFILE_LINES = 45


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


def indexes(count: int, length: int) -> Iterator[int]:
    """Numbers that look random, the same on both sides."""
    state = 1
    for _ in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        yield state % length


def blocks(start: int, count: int, size: int) -> list[bytes]:
    return [i.to_bytes(4, "big") + b"." * (size - 4) for i in range(start, start + count)]


async def join(left: ReplicationStream, right: ReplicationStream, *, tcp: bool) -> None:
    """Run both ends in this process, over a socket or straight into each other."""
    if not tcp:
        await link(left, right)
        return
    accepted: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
    accepted = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda *pair: accepted.set_result(pair), "127.0.0.1", 0)
    ours = await asyncio.open_connection(*server.sockets[0].getsockname())
    theirs = await accepted
    async with asyncio.TaskGroup() as group:
        group.create_task(left.run(*theirs))
        group.create_task(right.run(*ours))
    server.close()


async def prepare(folder: str, count: int, bytes: int, **_: Any) -> dict[str, float]:  # noqa: A002
    async with Hypercore(folder, durability="relaxed") as core:
        for start in range(0, count, PREPARED_BATCH):
            await core.extend(blocks(start, min(PREPARED_BATCH, count - start), bytes))
    return {}


async def batch(folder: str, count: int, bytes: int, **_: Any) -> dict[str, float]:  # noqa: A002
    values = blocks(0, count, bytes)
    async with Hypercore(folder, durability="relaxed") as core:
        start = time.perf_counter()
        await core.extend(values)
        return {"seconds": time.perf_counter() - start}


async def single(
    folder: str,
    count: int,
    bytes: int,  # noqa: A002
    durability: Any = "relaxed",
    **_: Any,
) -> dict[str, float]:
    values = blocks(0, count, bytes)
    async with Hypercore(folder, durability=durability) as core:
        start = time.perf_counter()
        for value in values:
            await core.append(value)
        return {"seconds": time.perf_counter() - start}


async def get(source: str, count: int, **_: Any) -> dict[str, float]:
    async with Hypercore(source, durability="relaxed") as core:
        start = time.perf_counter()
        for index in indexes(count, core.length):
            await core.get(index)
        return {"seconds": time.perf_counter() - start}


async def replicate(source: str, folder: str, *, tcp: bool = False, **_: Any) -> dict[str, float]:
    async with (
        Hypercore(source, durability="relaxed") as sender,
        Hypercore(folder, key=sender.key, durability="relaxed") as receiver,
    ):
        start = time.perf_counter()
        left, right = sender.replicate(initiator=True), receiver.replicate(initiator=False)
        async with asyncio.TaskGroup() as group:
            group.create_task(join(left, right, tcp=tcp))
            await receiver.download(0, sender.length)
            seconds = time.perf_counter() - start
            await left.close()
        if not all(receiver.has(i) for i in range(sender.length)):
            raise RuntimeError("not all arrived")
        return {"seconds": seconds}


async def workload(folder: str, count: int, bytes: int, **_: Any) -> dict[str, float]:  # noqa: A002
    """The life of a feed in one process: a batch, single appends, a copy, reads at random."""
    source, copy = f"{folder}/source", f"{folder}/copy"
    parts = (
        await batch(source, count, bytes),
        await single(source, count // 16, bytes),
        await replicate(source, copy),
        await get(copy, count),
    )
    return {"seconds": sum(part["seconds"] for part in parts)}


async def prepare_many(folder: str, feeds: int, **_: Any) -> dict[str, float]:
    async with Multifeed(folder, key=ROOT_KEY, durability="relaxed") as multi:
        for i in range(feeds):
            await (await multi.writer(f"w{i}")).append(b"block of %d" % i)
    return {}


async def many(
    source: str, folder: str, feeds: int, *, tcp: bool = False, **_: Any
) -> dict[str, float]:
    start = time.perf_counter()
    sender = Multifeed(source, key=ROOT_KEY, durability="relaxed")
    async with sender, Multifeed(folder, key=ROOT_KEY, durability="relaxed") as receiver:
        opened = time.perf_counter()
        if len(sender.feeds()) != feeds:
            raise RuntimeError("feeds are missing")
        opened_bytes = peak_bytes()
        with receiver.events() as added:
            left, right = sender.replicate(initiator=True), receiver.replicate(initiator=False)
            async with asyncio.TaskGroup() as group:
                group.create_task(join(left, right, tcp=tcp))
                begun = time.perf_counter()
                async with asyncio.TaskGroup() as gets:
                    for _number in range(feeds):
                        gets.create_task((await anext(added)).feed.get(0))
                seconds = time.perf_counter() - begun
                await left.close()
        return {
            "seconds": opened - start,
            "replicate_seconds": seconds,
            "opened_bytes": opened_bytes,
        }


def networker(multi: Multifeed, bootstrap: str, *, mdns: bool) -> Networker:
    return Networker(multi.corestore, bootstrap=[bootstrap], mdns=mdns, allow_loopback=True)


async def share(source: str, *, mdns: bool, **_: Any) -> dict[str, float]:
    """A peer that is there already, with a DHT of one node, until the input ends."""
    async with (
        await DhtNode.listen("127.0.0.1") as node,
        Multifeed(source, key=ROOT_KEY, durability="relaxed") as multi,
        networker(multi, str(node.address), mdns=mdns) as network,
    ):
        await network.swarm(multi)
        await network.flushed(multi.discovery_key)
        print(json.dumps({"bootstrap": str(node.address)}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
    return {}


@asynccontextmanager
async def sharing(**arguments: object) -> AsyncIterator[str]:
    """Another process that shares; gives the address of its DHT node."""
    command = [sys.executable, __file__, "share", json.dumps(arguments)]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield json.loads(await process.stdout.readline())["bootstrap"]
    finally:
        process.stdin.close()
        await process.wait()


async def clone(source: str, folder: str, feeds: int, *, mdns: bool, **_: Any) -> dict[str, float]:
    """An empty peer that knows the key: from joining to the first block, and to all of them."""
    took: list[float] = []

    async def first_block(feed: Hypercore) -> None:
        await feed.get(0)
        took.append(time.perf_counter() - start)

    async with sharing(source=source, mdns=mdns) as bootstrap:
        start = time.perf_counter()
        async with (
            Multifeed(folder, key=ROOT_KEY, durability="relaxed") as multi,
            networker(multi, bootstrap, mdns=mdns) as network,
            asyncio.TaskGroup() as gets,
        ):
            with multi.events() as added:
                await network.swarm(multi)
                for _number in range(feeds):
                    gets.create_task(first_block((await anext(added)).feed))
    return {"seconds": took[0], "all_seconds": took[-1]}


MEASURES: dict[str, Callable[..., Awaitable[dict[str, float]]]] = {
    "prepare": prepare,
    "batch": batch,
    "single": single,
    "get": get,
    "replicate": replicate,
    "workload": workload,
    "prepareMany": prepare_many,
    "many": many,
    "share": share,
    "clone": clone,
}


class OpcodeCount:
    """While entered, counts bytecodes and calls of every Python function."""

    def __init__(self) -> None:
        self.opcodes: Counter[CodeType] = Counter()
        self.calls: Counter[CodeType] = Counter()

    def __enter__(self) -> None:
        sys.settrace(self._trace)

    def __exit__(self, *exc_info: object) -> None:
        sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "call":
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
            self.calls[frame.f_code] += 1
        elif event == "opcode":
            self.opcodes[frame.f_code] += 1
        return self._trace

    def report(self, count: int) -> str:
        """Lay the figures out, each for one of ``count`` blocks."""
        total, calls = sum(self.opcodes.values()), sum(self.calls.values())
        lines = [f"{total / count:8.1f} bytecodes {calls / count:7.2f} calls  in all"]
        for code, steps in self.opcodes.most_common(PROFILE_LINES):
            name = f"{Path(code.co_filename).stem}.{code.co_qualname}"
            called = self.calls[code] / count
            lines.append(f"{steps / count:8.1f} bytecodes {called:7.2f} calls  {name}")
        return "\n".join(lines)


async def run(name: str, arguments: dict[str, Any]) -> dict[str, float]:
    return await MEASURES[name](**arguments)


def main(argv: list[str]) -> int:
    name, text, *options = argv
    if options == ["--profile"]:
        profile = cProfile.Profile()
        result = profile.runcall(asyncio.run, run(name, json.loads(text)))
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(PROFILE_LINES)
    elif options == ["--opcodes"]:
        counting = OpcodeCount()
        with counting:
            result = asyncio.run(run(name, json.loads(text)))
        print(counting.report(json.loads(text)["count"]), file=sys.stderr)
    else:
        result = asyncio.run(run(name, json.loads(text)))
    print(json.dumps({**result, "peak_bytes": peak_bytes()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
