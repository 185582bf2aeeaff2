"""What ``run.py serve`` shows: two writers and a reader, three processes, real sockets.

Each writer tells half of the facts that come with the package; the reader, who owns the group,
admits both, fetches what they say, checks it, merges it into its view and indexes it.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypedDict

from pkgstats.child import asked_to_end, child_process, say
from pkgstats.collecting import begun
from pkgstats.dataset import shipped, shipped_digest
from pkgstats.group import SEARCH_KINDS, Group
from pkgstats.network import Network
from pkgstats.node import Node
from pkgstats.sample import say_part
from pkgstats.view.reading import View

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from pkgstats.child import Child

WRITERS: Final = 2

LOOK_EVERY_S: Final = 0.05
"""How often it is looked how much was fetched."""


class Said(TypedDict):
    """What a writer's process says, one line of JSON each time something changes.

    Attributes:
        writer: what the writer is known by, in hex.
        port: where it listens on the loopback address.
        told: how many packages it has told.
        blocks: in how many blocks.
    """

    writer: str
    port: int
    told: int
    blocks: int


@dataclass(slots=True)
class Stage:
    """How far one writer's half has come.

    Attributes:
        name: of the writer.
        total: packages in its half.
        told: those that it has told.
        blocks: of its index, and fetched: those that the reader has.
    """

    name: str
    total: int
    told: int = 0
    blocks: int = 0
    fetched: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it.

    Attributes:
        packages: in the view.
        blocks: of the writers that are here, each checked against what its writer signed.
        fetched: those of them that this run has fetched.
        received: bytes, in this run.
        seconds: how long it took.
        view_hash: of the view.
    """

    packages: int
    blocks: int
    fetched: int
    received: int
    seconds: float
    view_hash: bytes


def writer_name(part: int) -> str:
    """What a writer is called."""
    return f"writer-{part + 1}"


def demo_folder(data: Path) -> Path:
    """Where this edition of the facts lives: feeds only grow, so another edition gets others."""
    folder = data / f"demo-{shipped_digest()[:12]}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


# --- the reader's side


def reader_node(folder: Path) -> Node:
    """The reader, who owns the group; it knows its peers by their addresses alone."""
    own = folder / "reader"
    own.mkdir(mode=0o700, exist_ok=True)
    group = Group.find(own) or Group.create(own)
    return Node(own, group, network=Network.only_loopback(), kinds=SEARCH_KINDS)


async def gather(reader: Node, folder: Path, report: Callable[[Sequence[Stage]], None]) -> Done:
    """Let the writers tell everything, and fetch it; they have ended when this returns.

    Args:
        reader: from `reader_node`, open.
        folder: with the writers' folders.
        report: is told how far it has come, several times a second.

    Raises:
        ChildError: a writer ended early.
    """
    began, held = time.monotonic(), _held(reader)
    halves = [len(shipped()[part::WRITERS]) for part in range(WRITERS)]
    stages = [Stage(writer_name(part), half) for part, half in enumerate(halves)]
    async with asyncio.TaskGroup() as tasks:
        for part, stage in enumerate(stages):
            tasks.create_task(_one_half(reader, folder, part, stage, lambda: report(stages)))
    await reader.index()
    with View.open(reader.view_path) as view:
        packages, view_hash = view.counts().packages, view.view_hash()
    blocks = sum(stage.fetched for stage in stages)
    received = reader.network.report().bytes_received if reader.network else 0
    fetched, seconds = _held(reader) - held, time.monotonic() - began
    return Done(packages, blocks, fetched, received, seconds, view_hash)


def _held(reader: Node) -> int:
    """Blocks of the writers that are here."""
    return sum(feed.downloaded() for feed in reader.multis["index"].feeds())


async def _one_half(
    reader: Node, folder: Path, part: int, stage: Stage, report: Callable[[], None]
) -> None:
    async with writer_process(folder, reader.group.key, part) as writer:
        said = said_until(writer, stage.total)
        first = await anext(said)
        assert reader.network is not None
        reader.network.add_peer("127.0.0.1", first["port"])
        await _admit(reader, bytes.fromhex(first["writer"]))
        async for progress in said:
            stage.told, stage.blocks = progress["told"], progress["blocks"]
            report()
        while not await _is_fetched(reader, bytes.fromhex(first["writer"]), stage):
            report()
            await asyncio.sleep(LOOK_EVERY_S)
        report()


async def _admit(reader: Node, writer: bytes) -> None:
    """Admit a writer unless an earlier run has."""
    listed = reader.membership.listed()
    if listed is None or writer not in {member.key for member in listed.members}:
        await reader.membership.admit(writer)


async def _is_fetched(reader: Node, writer: bytes, stage: Stage) -> bool:
    """Whether all that the writer has told is here."""
    with View.open(reader.view_path) as view:
        cores = next((one.cores for one in view.writers() if one.key == writer), {})
    feed = reader.multis["index"].feed(cores["index"].key) if "index" in cores else None
    if feed is not None:
        stage.fetched = feed.downloaded(0, stage.blocks)
    return stage.fetched >= stage.blocks


# --- a writer's process


@asynccontextmanager
async def writer_process(folder: Path, group: bytes, part: int) -> AsyncIterator[Child]:
    """Start a writer; it has ended when the block ends."""
    name = writer_name(part)
    options = ["--data", str(folder / name), "--group", group.hex()]
    parts = ["--part", str(part), "--parts", str(WRITERS)]
    log = folder / f"{name}.log"
    async with child_process(name, "writer", *options, *parts, log=log) as started:
        yield started


async def said_until(writer: Child, total: int) -> AsyncIterator[Said]:
    """What a writer says, until it has told ``total`` packages.

    Raises:
        ChildError: it ended before that.
    """
    async for said in writer.said():
        yield said
        if said["told"] >= total:
            return


async def write(folder: Path, group: Group, part: int, parts: int) -> None:
    """Share the feeds in a folder and tell what they lack, until asked to end.

    What an earlier process began is continued.
    """
    ended = asked_to_end()
    network = Network.only_loopback()
    async with Node(folder, group, network=network, kinds=SEARCH_KINDS) as node:
        writer = await node.write(writer_name(part))

        def tell(told: int) -> None:
            port, blocks = node.addresses[0][1], writer.feeds["index"].length
            say(Said(writer=writer.key.hex(), port=port, told=told, blocks=blocks))

        with begun():
            tell(0)
            await say_part(writer, part, parts, progress=tell)
            await ended.wait()


def run_writer(folder: Path, group: Group, part: int, parts: int) -> None:
    """The whole life of a writer's process, see `pkgstats.child`."""
    with suppress(BrokenPipeError):  # the parent is gone, nothing is left to do
        asyncio.run(write(folder, group, part, parts))
