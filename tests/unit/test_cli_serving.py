"""One command answers another: what it is asked, by whom, and what goes wrong."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import click
import pytest

from hypermultifeed.cli import asking, control, running, serving
from hypermultifeed.cli.asking import AskedFolder, Holder, asked, reached
from hypermultifeed.cli.control import ControlError, Conversation, Door, read_door
from hypermultifeed.cli.folder import Folder, LocalFolder
from hypermultifeed.cli.group import main
from hypermultifeed.cli.running import AnsweredError, opening_as
from hypermultifeed.cli.serving import ASKERS_MAX, ControlServer, FolderVerbs
from hypermultifeed.errors import BlockTooLargeError, StorageLockedError
from hypermultifeed.feed.layout import BLOCK_BYTES_MAX
from hypermultifeed.storage import files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

KEY = bytes.fromhex("07" * 32)


@asynccontextmanager
async def held(path: Path, **verbs: serving.Verb) -> AsyncIterator[Folder]:
    """A multifeed that is open here and can be asked."""
    async with opening_as(path, KEY) as here:
        folder = LocalFolder(here)
        async with ControlServer(path, {**FolderVerbs(folder).verbs(), **verbs}):
            yield folder


@asynccontextmanager
async def holder_of(path: Path) -> AsyncIterator[Holder]:
    async with asked(path) as holder:
        assert holder is not None
        yield holder


def context(path: Path, root_key: str | None = None) -> click.Context:
    made = click.Context(main)
    made.obj = (str(path), root_key)
    return made


async def test_blocks_appended_by_asking_are_there_for_both(tmp_path: Path) -> None:
    async with held(tmp_path) as here, reached(context(tmp_path)) as there:
        assert isinstance(there, AskedFolder)
        assert there.key == KEY
        writer = await there.writer("log")
        await writer.extend([b"one", b"", b"\xff"])
        await writer.extend([])
        assert (writer.length, writer.appended) == (3, 3)
        (fact,) = await here.feeds()
        assert fact["key"] == writer.key
        async with reached(context(tmp_path)) as third:
            assert await third.feeds() == [fact]
            found = [one async for one in third.blocks(fact["key"], 1, 99)]
            assert found == [(1, b""), (2, b"\xff")]
            assert [one async for one in third.blocks("00" * 32, 0, 9)] == []


async def test_more_blocks_than_fit_into_a_message(tmp_path: Path) -> None:
    many = [b"%d" % number for number in range(2 * control.BLOCKS_MAX)]
    large = [bytes([number]) * 3_000_000 for number in range(4)]
    async with held(tmp_path), reached(context(tmp_path)) as there:
        writer = await there.writer("log")
        await writer.extend([*many, *large])
        async with reached(context(tmp_path)) as third:
            found = [block async for _, block in third.blocks(writer.key, 0, 1 << 53)]
    assert found == [*many, *large]


async def test_the_largest_block_and_one_that_is_larger(tmp_path: Path) -> None:
    async with held(tmp_path), reached(context(tmp_path)) as there:
        writer = await there.writer("log")
        await writer.extend([bytes(BLOCK_BYTES_MAX)])
        with pytest.raises(BlockTooLargeError):
            await writer.extend([b"x", bytes(BLOCK_BYTES_MAX + 1)])
        assert writer.length == 1


async def test_errors_come_with_words_and_exit_code(tmp_path: Path) -> None:
    async def broken(_conversation: Conversation, _fields: dict[str, Any]) -> dict[str, Any]:
        raise StorageLockedError("no luck", holder="me")

    async with held(tmp_path, broken=broken), holder_of(tmp_path) as holder:
        with pytest.raises(AnsweredError, match=r"no luck; .*\[ERR_STORAGE_LOCKED\]") as caught:
            await holder.ask("broken")
        assert caught.value.exit_code == 4
        with pytest.raises(AnsweredError, match="1 to 1024 bytes"):
            await AskedFolder(holder, KEY).writer("")
        with pytest.raises(AnsweredError, match="cannot be asked that"):
            await holder.ask("nonsense")
        assert (await holder.ask("key"))["key"] == KEY.hex()  # the conversation goes on


async def test_another_multifeed_is_not_that_one(tmp_path: Path) -> None:
    async with held(tmp_path):
        with pytest.raises(click.ClickException, match="another multifeed's key"):
            async with reached(context(tmp_path, "08" * 32)):
                pass


async def test_a_folder_that_nobody_has_is_opened_here(tmp_path: Path) -> None:
    async with held(tmp_path):
        pass
    assert not control.is_answered(tmp_path)
    async with reached(context(tmp_path)) as folder:
        assert isinstance(folder, LocalFolder)


async def test_what_a_killed_command_left_is_harmless(tmp_path: Path) -> None:
    async with held(tmp_path):
        pass
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as dead:
        port = dead.sockets[0].getsockname()[1]
    control.write_door(tmp_path, Door(port, bytes(32)))
    async with reached(context(tmp_path)) as folder:
        assert isinstance(folder, LocalFolder)
    assert not control.is_answered(tmp_path)


async def test_a_holder_that_answers_nobody_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "LOCK_PATIENCE_S", 0.0)
    async with held(tmp_path):
        pass
    storage = files(tmp_path)("relaxed")
    control.write_door(tmp_path, Door(1, bytes(32)))  # nobody listens there
    with pytest.raises(StorageLockedError, match="open in"):
        async with reached(context(tmp_path)):
            pass
    await storage.close()


async def test_who_has_the_port_now_hears_nothing(tmp_path: Path) -> None:
    heard = bytearray()

    async def impostor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.readuntil(b"\n"))
        writer.write(b'{"version":1,"nonce":"%s","proof":"%s"}\n' % (b"00" * 32, b"00" * 32))
        heard.extend(await reader.read())
        writer.close()

    async with await asyncio.start_server(impostor, "127.0.0.1", 0) as server:
        secret = bytes(range(32))
        control.write_door(tmp_path, Door(server.sockets[0].getsockname()[1], secret))
        async with asked(tmp_path) as holder:
            assert holder is None
    assert heard.count(b"\n") == 1
    assert secret.hex().encode() not in heard


async def test_a_holder_that_is_stopped_does_not_hang_the_asker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connections wait in its backlog
        control.write_door(tmp_path, Door(silent.getsockname()[1], bytes(32)))
        monkeypatch.setattr(asking, "HANDSHAKE_TIMEOUT_S", 0.05)
        async with asked(tmp_path) as holder:
            assert holder is None


async def test_an_answer_that_does_not_come_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def thinks(_conversation: Conversation, _fields: dict[str, Any]) -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async with held(tmp_path, thinks=thinks), holder_of(tmp_path) as holder:
        monkeypatch.setattr(asking, "ANSWER_TIMEOUT_S", 0.0)
        with pytest.raises(ControlError, match="does not answer") as caught:
            await holder.ask("thinks")
    assert caught.value.exit_code == 4


async def test_the_end_of_the_holder_is_said_to_who_waits(tmp_path: Path) -> None:
    asked_for = asyncio.Event()

    async def thinks(_conversation: Conversation, _fields: dict[str, Any]) -> dict[str, Any]:
        asked_for.set()
        await asyncio.Event().wait()
        return {}

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(held(tmp_path, thinks=thinks))
        async with holder_of(tmp_path) as holder:
            waiting = asyncio.create_task(holder.ask("thinks"))
            await asked_for.wait()
            await stack.aclose()
            with pytest.raises(ControlError, match="just ended"):
                await waiting


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"{}\n{}\n", b"\n", b"x" * 70_000])
async def test_strangers_are_shown_the_door(tmp_path: Path, said: bytes) -> None:
    async with held(tmp_path):
        door = read_door(tmp_path)
        assert door is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(said)
        answer = b""
        try:
            while chunk := await reader.read(1 << 16):
                answer += chunk
        except ConnectionResetError:
            pass
        writer.close()
        assert KEY.hex().encode() not in answer
        async with holder_of(tmp_path) as holder:
            assert (await holder.ask("key"))["key"] == KEY.hex()


async def test_a_stranger_who_says_nothing_is_shown_the_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "HANDSHAKE_TIMEOUT_S", 0.0)
    async with held(tmp_path):
        door = read_door(tmp_path)
        assert door is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        assert await reader.read() == b""
        writer.close()


async def test_one_asker_too_many_is_turned_away(tmp_path: Path) -> None:
    async with held(tmp_path):
        door = read_door(tmp_path)
        assert door is not None
        idle = []
        for _ in range(ASKERS_MAX):
            conversation = Conversation(*await asyncio.open_connection("127.0.0.1", door.port))
            assert await control.greet(conversation, door.secret)
            idle.append(conversation)
        async with asked(tmp_path) as holder:
            assert holder is None
        for conversation in idle:
            await conversation.close()


@pytest.mark.parametrize(
    "fields",
    [
        {"verb": "append"},
        {"verb": "blocks", "feed": "zz", "start": 0, "stop": 1},
        {"verb": "blocks", "feed": "07" * 32, "start": -1, "stop": 1},
        {"verb": "blocks", "feed": "07" * 32, "start": 0, "stop": None},
    ],
)
async def test_a_request_without_its_facts_ends_the_conversation(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    async with held(tmp_path), holder_of(tmp_path) as holder:
        await holder.tell(fields)
        with pytest.raises(ControlError, match="just ended"):
            await holder.hear()
