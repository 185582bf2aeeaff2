"""How two commands talk: messages, the file that leads one to the other, and who is who."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from hypermultifeed.cli import control
from hypermultifeed.cli.control import (
    BLOCKS_BYTES_MAX,
    BLOCKS_MAX,
    FILE_NAME,
    GREETING_BYTES_MAX,
    LINE_BYTES_MAX,
    ControlError,
    Conversation,
    Door,
    Message,
    answer_greeting,
    batches,
    greet,
    is_answered,
    new_door,
    read_door,
    remove_door,
    write_door,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SECRET = bytes(range(32))


@asynccontextmanager
async def talking() -> AsyncIterator[tuple[Conversation, Conversation]]:
    """Both ends of a connection."""
    accepted: asyncio.Future[Conversation] = asyncio.get_running_loop().create_future()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result(Conversation(reader, writer))

    async with await asyncio.start_server(accept, control.HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        one = Conversation(*await asyncio.open_connection(control.HOST, port))
        two = await accepted
        try:
            yield one, two
        finally:
            await asyncio.gather(one.close(), two.close())


async def heard(data: bytes) -> Message | None:
    """What a conversation makes of these bytes and their end."""
    async with talking() as (one, two):
        one._writer.write(data)
        await one.close()
        return await two.receive()


# --- messages


async def test_a_message_arrives_with_its_blocks() -> None:
    blocks = [b"", b"\n\xff", b"x" * 300_000]
    async with talking() as (one, two):
        sending = asyncio.create_task(one.send({"verb": "é"}, blocks))
        message = await two.receive()
        await sending
    assert message is not None
    assert (message.fields["verb"], message.blocks) == ("é", blocks)


async def test_the_end_between_messages_is_no_error() -> None:
    assert await heard(b"") is None
    assert await heard(b"{}\n") == Message({}, [])


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"\xff\n",
        b"[]\n",
        b"[" * 10_000 + b"\n",
        b"{" + b" " * LINE_BYTES_MAX + b"}\n",
        b'{"sizes":[3]}\nab',
        b'{"sizes":3}\n',
        b'{"sizes":[-1]}\n',
        b'{"sizes":[1.5]}\n',
        b'{"sizes":[true]}\nx',
        b'{"sizes":[%d]}\n' % (BLOCKS_BYTES_MAX + 1),
        b'{"sizes":[%s0]}\n' % (b"0," * BLOCKS_MAX),
    ],
)
async def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(ControlError):
        await heard(data)


def test_blocks_are_cut_into_what_fits() -> None:
    assert batches([]) == []
    assert batches([b"a", b"b"]) == [[b"a", b"b"]]
    assert [len(batch) for batch in batches([b""] * (2 * BLOCKS_MAX + 1))] == [
        BLOCKS_MAX,
        BLOCKS_MAX,
        1,
    ]
    large = bytes(BLOCKS_BYTES_MAX)
    assert batches([b"a", large, b"b"]) == [[b"a"], [large], [b"b"]]


# --- the file


def test_a_door_is_found_where_it_was_written(tmp_path: Path) -> None:
    door = new_door(4711)
    assert read_door(tmp_path) is None
    write_door(tmp_path, new_door(1))
    write_door(tmp_path, door)
    assert read_door(tmp_path) == door
    assert is_answered(tmp_path)
    remove_door(tmp_path)
    remove_door(tmp_path)
    assert not is_answered(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_only_a_file_that_nobody_else_can_read_is_trusted(tmp_path: Path) -> None:
    write_door(tmp_path, new_door(4711))
    path = tmp_path / FILE_NAME
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    assert read_door(tmp_path) is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows wants a privilege for it")
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    write_door(tmp_path / "elsewhere", new_door(4711))
    (tmp_path / FILE_NAME).symlink_to(tmp_path / "elsewhere" / FILE_NAME)
    assert read_door(tmp_path) is None
    write_door(tmp_path, new_door(12))  # which takes the link away, not the file behind it
    found, behind = read_door(tmp_path), read_door(tmp_path / "elsewhere")
    assert found is not None
    assert behind is not None
    assert (found.port, behind.port) == (12, 4711)


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"version":1,"po',
        "[]",
        '{"version":1,"port":1}',
        '{"version":1,"port":0,"secret":"%s"}' % ("07" * 32),
        '{"version":1,"port":70000,"secret":"%s"}' % ("07" * 32),
        '{"version":1,"port":"1","secret":"%s"}' % ("07" * 32),
        '{"version":1,"port":1,"secret":"07"}',
        '{"version":1,"port":1,"secret":7}',
    ],
)
def test_what_is_no_door(tmp_path: Path, text: str) -> None:
    write_door(tmp_path, new_door(1))
    (tmp_path / FILE_NAME).write_text(text)
    assert read_door(tmp_path) is None


def test_another_version_is_said(tmp_path: Path) -> None:
    write_door(tmp_path, new_door(1))
    fact = json.loads((tmp_path / FILE_NAME).read_text())
    (tmp_path / FILE_NAME).write_text(json.dumps({**fact, "version": 2}))
    with pytest.raises(ControlError, match="another version"):
        read_door(tmp_path)


# --- who is who


async def test_two_who_know_the_secret() -> None:
    async with talking() as (asker, holder):
        left, right = await asyncio.gather(greet(asker, SECRET), answer_greeting(holder, SECRET))
        assert left
        assert right
        await asker.send({"verb": "key"})
        message = await holder.receive()
    assert message == Message({"verb": "key"}, [])


async def test_an_asker_who_does_not_know_it_is_refused() -> None:
    async with talking() as (asker, holder):

        async def guess() -> None:
            await asker.send({"version": 1, "nonce": "00" * 32})
            await asker.receive()
            await asker.send({"proof": "00" * 32})

        _, known = await asyncio.gather(guess(), answer_greeting(holder, SECRET))
    assert not known


async def test_an_asker_says_nothing_to_who_does_not_know_it() -> None:
    async with talking() as (asker, holder):
        impostor = asyncio.create_task(answer_greeting(holder, bytes(32)))
        assert not await greet(asker, SECRET)
        await asker.close()
        assert not await impostor  # the end came where the proof should have


async def test_a_proof_is_not_taken_back_from_who_gave_it() -> None:
    """A holder's own words, sent back to it on a second connection, open nothing."""
    async with talking() as (mirror, holder), talking() as (other, second):
        first = asyncio.create_task(answer_greeting(holder, SECRET))
        await mirror.send({"version": 1, "nonce": "07" * 32})
        said = await mirror.receive()
        assert said is not None
        again = asyncio.create_task(answer_greeting(second, SECRET))
        await other.send(said.fields)
        await other.receive()
        await other.send({"proof": said.fields["proof"]})
        await mirror.send({"proof": said.fields["proof"]})
        assert not await first
        assert not await again


@pytest.mark.parametrize(
    "line", [b"GET / HTTP/1.1\r\n", b"[" * 400 + b"\n", b"{" + b" " * GREETING_BYTES_MAX + b"}\n"]
)
async def test_a_greeting_that_is_none(line: bytes) -> None:
    async with talking() as (one, two):
        one._writer.write(line)
        with pytest.raises(ControlError):
            await answer_greeting(two, SECRET)


async def test_fields_of_a_greeting_may_be_anything() -> None:
    for nonce in (None, 7, "zz", "07", ["x"]):
        async with talking() as (one, two):
            await one.send({"nonce": nonce})
            await one.send({"proof": nonce})
            assert not await answer_greeting(two, SECRET)


def test_a_door_keeps_its_secret_out_of_messages() -> None:
    assert SECRET.hex() not in repr(Door(1, SECRET))
    assert repr(SECRET) not in repr(Door(1, SECRET))
