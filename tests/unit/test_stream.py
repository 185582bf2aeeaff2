"""The asyncio edge of a stream: running, ending, errors, over memory and over sockets."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import pytest

from hypermultifeed.errors import (
    HandshakeError,
    LocalProtocolError,
    RemoteProtocolError,
    ReplicationTimeoutError,
    StreamClosedError,
)
from hypermultifeed.keys import NoiseKeyPair
from hypermultifeed.replication.channels import ChannelHandler
from hypermultifeed.stream import ReplicationStream, link

KEY = bytes([3]) * 32


class Closing(ChannelHandler):
    """Closes its channel as soon as it is open."""

    def on_open(self) -> None:
        self.channel.close()


class Silent:
    """A reader that never gets anything, and a writer that swallows everything."""

    def __init__(self, *chunks: bytes, hang: bool = True) -> None:
        self.chunks = list(chunks)
        self.hang = hang
        self.written = bytearray()
        self.closed = False

    async def read(self, n: int = -1, /) -> bytes:
        if self.chunks:
            return self.chunks.pop(0)
        if self.hang:
            await asyncio.get_running_loop().create_future()
        return b""

    def write(self, data: bytes, /) -> None:
        self.written += data

    async def drain(self) -> None:
        return

    def can_write_eof(self) -> bool:
        return False

    def write_eof(self) -> None:
        raise AssertionError

    def close(self) -> None:
        self.closed = True

    async def wait_closed(self) -> None:
        return


def streams(**options: Any) -> tuple[ReplicationStream, ReplicationStream]:
    return ReplicationStream(initiator=True, **options), ReplicationStream(
        initiator=False, **options
    )


async def test_the_initiator_flag_must_be_a_bool() -> None:
    with pytest.raises(TypeError):
        ReplicationStream(1)  # type: ignore[arg-type]


async def test_link_runs_both_until_one_closes() -> None:
    a, b = streams(key_pair=NoiseKeyPair.from_seed(bytes(32)))
    async with asyncio.TaskGroup() as group:
        group.create_task(link(a, b))
        assert await a.opened() == b.public_key
        assert await b.opened() == a.public_key
        await a.close()
        await b.wait_closed()
    assert a.closed
    assert b.closed
    assert a.error is b.error is None
    assert a.stats.bytes_sent == b.stats.bytes_received == 59 + 91


async def test_a_stream_that_is_not_live_ends_with_its_last_channel() -> None:
    a, b = streams(live=False)
    a.session.open(KEY, Closing())
    b.session.open(KEY, Closing())
    await link(a, b)
    assert a.error is b.error is None


async def test_over_a_socket() -> None:
    a, b = streams()
    served = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await b.run(reader, writer)
        served.set_result(None)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        async with asyncio.TaskGroup() as group:
            group.create_task(a.run(reader, writer))
            await a.opened()
            await b.close()
        await served
    assert writer.is_closing()
    assert a.error is None


class CutOff:
    """A writer whose peer has just cut the connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.asked = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def write_eof(self) -> None:
        self.asked = True
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")


async def test_a_peer_that_is_gone_before_our_end_is_no_error() -> None:
    left, right = streams()
    accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    server = await asyncio.start_server(lambda *pair: accepted.put_nowait(pair), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        cut_off = CutOff(writer)
        async with asyncio.TaskGroup() as group:
            group.create_task(left.run(reader, cut_off))
            group.create_task(right.run(*await accepted.get()))
            await asyncio.gather(left.opened(), right.opened())
            await asyncio.gather(left.close(), right.close())
    assert cut_off.asked
    assert left.error is right.error is None


async def test_a_small_message_waits_for_no_acknowledgement() -> None:
    """Nagle's rule, and a peer that acknowledges late, would cost 40 ms again and again."""
    left, right = streams()
    accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    listening = socket.create_server(("127.0.0.1", 0))  # asyncio sees no TCP in such a socket
    server = await asyncio.start_server(lambda *pair: accepted.put_nowait(pair), sock=listening)
    async with server:
        ours = await asyncio.open_connection(*listening.getsockname())
        theirs = await accepted.get()
        async with asyncio.TaskGroup() as group:
            group.create_task(left.run(*ours))
            group.create_task(right.run(*theirs))
            await right.opened()
            for _, writer in (ours, theirs):
                sock = writer.get_extra_info("socket")
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            await left.close()


async def test_a_second_run_is_our_own_error() -> None:
    a, b = streams(live=False)
    a.session.open(KEY, Closing())
    b.session.open(KEY, Closing())
    await link(a, b)
    with pytest.raises(LocalProtocolError):
        await a.run(Silent(), Silent())


async def test_close_before_run_and_twice() -> None:
    a, _ = streams()
    await a.close()
    await a.close()
    assert a.closed
    with pytest.raises(StreamClosedError):
        await a.opened()
    with pytest.raises(StreamClosedError):
        await a.remote_feeds()
    with pytest.raises(StreamClosedError):
        a.session.open(KEY, ChannelHandler())


async def test_garbage_ends_the_stream_with_a_coded_error_and_closes_the_writer() -> None:
    a, _ = streams()
    peer = Silent(b"\xff" * 100)
    with pytest.raises(RemoteProtocolError) as caught:
        await a.run(peer, peer)
    assert peer.closed
    assert a.error is caught.value
    assert caught.value.code


async def test_the_end_in_the_middle_of_the_handshake_is_an_error() -> None:
    a, _ = streams()
    peer = Silent(hang=False)
    with pytest.raises(HandshakeError):
        await a.run(peer, peer)


async def test_a_silent_peer_is_given_up() -> None:
    a, _ = streams(handshake_timeout_s=0.01)
    peer = Silent()
    with pytest.raises(ReplicationTimeoutError):
        await a.run(peer, peer)


async def test_cancelling_run_closes_everything() -> None:
    a, _ = streams()
    peer = Silent()
    running = asyncio.create_task(a.run(peer, peer))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert a.closed
    assert peer.closed


async def test_destroy_makes_run_raise_its_error() -> None:
    a, b = streams()
    error = LocalProtocolError("no more")
    linked = asyncio.create_task(link(a, b))
    await a.opened()
    a.destroy(error)
    with pytest.raises(LocalProtocolError):
        await linked
    assert a.error is error
    assert b.closed


async def test_one_sides_refusal_is_what_link_raises() -> None:
    def refuse(remote_public_key: bytes) -> None:
        raise RemoteProtocolError(f"who is {remote_public_key.hex()[:4]}?")

    a = ReplicationStream(initiator=True)
    b = ReplicationStream(initiator=False, on_authenticate=refuse)
    with pytest.raises(RemoteProtocolError, match="who is"):
        await link(a, b)


async def test_batches_of_remote_feeds_are_kept_until_taken() -> None:
    a, _ = streams()
    batches: list[Any] = [["one"], ["two", "three"], ["four"]]
    a.add_remote_feeds(batches[0])
    a.add_remote_feeds(batches[1])
    assert await a.remote_feeds() is batches[0]
    assert await a.remote_feeds() is batches[1]
    waiting = asyncio.create_task(a.remote_feeds())
    await asyncio.sleep(0)
    a.add_remote_feeds(batches[2])
    assert await waiting is batches[2]


async def test_whoever_waits_for_remote_feeds_learns_of_the_end() -> None:
    a, _ = streams()
    waiting = asyncio.create_task(a.remote_feeds())
    await asyncio.sleep(0)
    await a.close()
    with pytest.raises(StreamClosedError):
        await waiting


async def test_extension_messages_of_the_stream() -> None:
    a, b = streams()
    got: asyncio.Queue[Any] = asyncio.Queue()
    b.register_extension("x", encoding="json", on_message=lambda m, _: got.put_nowait(m))
    extension = a.register_extension("x", encoding="json")
    async with asyncio.TaskGroup() as group:
        group.create_task(link(a, b))
        extension.broadcast({"n": 1})  # before the handshake: sent after it
        assert await got.get() == {"n": 1}
        await a.close()


async def test_nothing_is_written_before_our_own_appends_are_durable() -> None:
    a, b = streams()
    durable = asyncio.Event()
    asked = asyncio.Event()

    async def sync() -> None:
        asked.set()
        await durable.wait()

    linked = asyncio.create_task(link(a, b))
    await a.opened()
    await b.opened()
    for _ in range(5):
        await asyncio.sleep(0)
    a.unsynced["storage"] = sync
    before = b.stats.bytes_received
    a.register_extension("x").broadcast(b"1")
    await asked.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    assert b.stats.bytes_received == before
    del a.unsynced["storage"]
    durable.set()
    while b.stats.bytes_received == before:  # noqa: ASYNC110 - no event tells of bytes
        await asyncio.sleep(0)
    await a.close()
    await linked
