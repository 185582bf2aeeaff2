"""The asyncio edge of one replication stream.

`ReplicationStream` moves bytes between a `Session` and a reader and a writer; `link` does so
between two streams in one process. All protocol logic is in `replication`; here are the clock,
the sockets' back-pressure, and the rule that nothing leaves before our own appends are durable.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from hypermultifeed.errors import (
    HypermultifeedError,
    LocalProtocolError,
    RemoteProtocolError,
    StreamClosedError,
)
from hypermultifeed.keys import NoiseKeyPair
from hypermultifeed.replication.channels import Session, SessionOwner

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from hypermultifeed.codecs import Codec
    from hypermultifeed.hypercore import Hypercore
    from hypermultifeed.replication.extensions import Extension

READ_SIZE: Final = 1 << 18
"""Bytes taken from the reader at once."""

WRITE_BUFFER: Final = 1 << 19
"""Bytes a transport may hold before we wait for it; also the room between two linked streams."""

OUTPUT_MAX: Final = 64 << 20
"""Bytes waiting for a peer above which what it says ends the stream. Blocks wait long before;
what can pile up are small answers to a peer that asks and does not read."""

CLOSE_TIMEOUT_S: Final = 5.0
"""How long a stream that has ended its output waits for the peer to end its own."""

_log = logging.getLogger("hypermultifeed.stream")


class Reader(Protocol):
    """The part of `asyncio.StreamReader` that is used."""

    async def read(self, n: int = -1, /) -> bytes | bytearray:
        """Some bytes, at most ``n``; empty at the end."""


class Writer(Protocol):
    """The part of `asyncio.StreamWriter` that is used."""

    def write(self, data: Any, /) -> None:
        """Queue bytes."""

    async def drain(self) -> None:
        """Wait until the queue is short."""

    def can_write_eof(self) -> bool:
        """Whether our direction can be closed alone."""

    def write_eof(self) -> None:
        """Close our direction once the queue is empty."""

    def close(self) -> None:
        """Close both directions."""

    async def wait_closed(self) -> None:
        """Wait until closed."""


@dataclass(frozen=True, slots=True)
class StreamStats:
    """What went over one stream so far.

    Attributes:
        bytes_received, bytes_sent: on the wire, handshake included.
        channels: channels open on at least one side.
        refused: channels of the peer that nobody here wanted.
        dropped: messages that belonged to no open channel.
    """

    bytes_received: int
    bytes_sent: int
    channels: int
    refused: int
    dropped: int


class ReplicationStream:
    """One replication: a byte stream with any number of feeds on it.

    Made by ``replicate`` of a core, a store or a multifeed; several of them can share one (their
    ``stream`` argument). Run it once, with `run` or `link`.

    Attributes:
        session: the protocol's state machine; owners attach to it.
        error: why the stream ended; None while it runs, and after a clean end.
    """

    def __init__(
        self,
        initiator: bool,
        *,
        live: bool = True,
        key_pair: NoiseKeyPair | None = None,
        noise: bool = True,
        encrypted: bool = True,
        handshake_timeout_s: float | None = 10.0,
        timeout_s: float | None = 20.0,
        on_authenticate: Callable[[bytes], None] | None = None,
    ) -> None:
        """Make a stream that is not running yet.

        Args:
            initiator: True on the side that dialled; the two sides must differ.
            live: stay open when the last channel closes.
            key_pair: our static Noise keys; fresh ones if None.
            noise, encrypted: both sides must agree; leave them on.
            handshake_timeout_s: how long the handshake may take, from `run` on; None: for ever.
            timeout_s: how long the peer may be silent; None: for ever.
            on_authenticate: gets the peer's static key during the handshake; raise to refuse it.
        """
        if not isinstance(initiator, bool):
            raise TypeError("initiator must be True or False")
        self.initiator = initiator
        self.session = Session(
            initiator=initiator,
            key_pair=key_pair or NoiseKeyPair.generate(),
            ephemeral_seed=os.urandom(32),
            nonce=os.urandom(24),
            live=live,
            noise=noise,
            encrypted=encrypted,
            handshake_timeout_s=handshake_timeout_s or 0.0,
            timeout_s=timeout_s or 0.0,
        )
        self.error: Exception | None = None
        self.on_ack: Callable[[int, int], None] | None = None
        """Gets start and length of what the peer acknowledged (see ``replicate(ack=True)``)."""
        self.unsynced: dict[object, Callable[[], Awaitable[None]]] = {}
        """Storages with appends that are not durable yet; nothing is written before they are."""
        self._output = asyncio.Event()
        self._over = asyncio.Event()
        self._shaken = asyncio.Event()
        self._closed = asyncio.Event()
        self._room = asyncio.Event()
        self._started = False
        self._wrote_all = False
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._feeds: deque[Sequence[Hypercore]] = deque()
        self._feeds_waiters: deque[asyncio.Future[None]] = deque()
        self.session.wake = self._output.set
        self.session.attach(_StreamOwner(self._shaken, on_authenticate))

    def __repr__(self) -> str:
        state = "closed" if self.closed else "running" if self._started else "new"
        return f"<ReplicationStream {state} initiator={self.initiator}>"

    # --- running

    async def run(self, reader: Reader, writer: Writer) -> None:
        """Replicate over a connected pair of streams until either side ends.

        The writer is closed in any case. Returns after a clean end, at once if the stream was
        closed before it ran.

        Raises:
            LocalProtocolError: the stream was run before.
            ReplicationError: the peer broke the protocol, was silent, or vanished.
            OSError: the socket failed.
        """
        if self._started:
            writer.close()
            raise LocalProtocolError("a replication stream runs once")
        self._started = True
        self._loop = asyncio.get_running_loop()
        _tune(writer)
        try:
            if not self._over.is_set():
                self.session.start(self._loop.time())
                self._output.set()
                await self._run_tasks(reader, writer)
        finally:
            self._finish(None if self._over.is_set() else StreamClosedError("cancelled"))
            self._cleanup()
            await _close(writer)
        if self.error is not None:
            raise self.error

    async def close(self) -> None:
        """End the stream after what is queued has been sent; wait until it is over. Idempotent."""
        if not self._started:
            self._finish(None)
            self._cleanup()
            return
        self.session.end()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._closed.wait()
        except TimeoutError:
            self._finish(None)
            await self._closed.wait()

    def destroy(self, error: Exception | None = None) -> None:
        """End the stream at once; `run` raises ``error`` if there is one."""
        self._finish(error)
        if not self._started:
            self._cleanup()

    async def wait_closed(self) -> None:
        """Wait until the stream is over, however it ended; see ``error``."""
        await self._closed.wait()

    @property
    def closed(self) -> bool:
        """Whether the stream is over."""
        return self._closed.is_set()

    # --- what is known about it

    @property
    def live(self) -> bool:
        """Whether the stream stays open when its last channel closes."""
        return self.session.live

    @property
    def public_key(self) -> bytes:
        """Our static Noise key, 32 bytes."""
        return self.session.public_key

    @property
    def remote_public_key(self) -> bytes | None:
        """The peer's static Noise key, 32 bytes; None before the handshake."""
        return self.session.remote_public_key

    @property
    def stats(self) -> StreamStats:
        """Counters."""
        session = self.session
        connection = getattr(session, "connection", None)
        return StreamStats(
            bytes_received=connection.bytes_received if connection else 0,
            bytes_sent=connection.bytes_sent if connection else 0,
            channels=len(session.channels),
            refused=session.refused,
            dropped=session.dropped,
        )

    async def opened(self) -> bytes | None:
        """Wait for the end of the handshake; returns the peer's static key.

        Raises:
            StreamClosedError: the stream ended before.
        """
        await self._shaken.wait()
        if not self.session.handshake_complete:
            raise self._closed_error()
        return self.remote_public_key

    async def remote_feeds(self) -> Sequence[Hypercore]:
        """The next batch of feeds that the peer replicates, or at once one not taken yet.

        Raises:
            StreamClosedError: the stream is over and every batch was taken.
        """
        while not self._feeds:
            if self.closed:
                raise self._closed_error()
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._feeds_waiters.append(waiter)
            await waiter
        return self._feeds.popleft()

    def add_remote_feeds(self, feeds: Sequence[Hypercore]) -> None:
        """Give the next caller of `remote_feeds` a batch; called by the multifeed."""
        self._feeds.append(feeds)
        self._wake_feeds_waiters()

    def register_extension(
        self,
        name: str,
        *,
        encoding: str | Codec = "binary",
        on_message: Callable[[Any, Any], None] | None = None,
        on_error: Callable[[Exception, Any], None] | None = None,
    ) -> Extension:
        """Register an extension of the stream itself; send with ``extension.broadcast``."""
        return self.session.register_extension(
            name,
            encoding=encoding,
            on_message=guarded(on_message, name),
            on_error=guarded(on_error, name),
        )

    # --- inside

    async def _run_tasks(self, reader: Reader, writer: Writer) -> None:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(self._guard(self._read(reader)))
            writing = group.create_task(self._guard(self._write(writer)))
            await self._over.wait()
            reading.cancel()
            writing.cancel()

    async def _guard(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:  # an error ends this stream, not its siblings
            self._finish(error)

    async def _read(self, reader: Reader) -> None:
        session = self.session
        loop = asyncio.get_running_loop()
        while True:
            chunk = await reader.read(READ_SIZE)
            if not chunk:
                break
            session.receive_data(chunk, loop.time())
            if session.output_size > OUTPUT_MAX:
                raise RemoteProtocolError("the peer asks, and does not read the answers")
            self._output.set()
            while session.input_paused:
                session.connection.pause_reading()
                self._room.clear()
                await self._room.wait()
                session.connection.resume_reading(loop.time())
        session.receive_eof(loop.time())
        self._output.set()  # the writer sends what is left and ends our direction
        if self._wrote_all:
            self._finish(None)

    async def _write(self, writer: Writer) -> None:
        session = self.session
        loop = asyncio.get_running_loop()
        while True:
            await self._output.wait()
            self._output.clear()
            while data := session.data_to_send():
                # What is in `data` may rest on appends up to here, not on later ones.
                for sync in list(self.unsynced.values()):
                    await sync()
                writer.write(data)
                await writer.drain()
                session.drained(loop.time())
                self._room.set()
            self._arm(loop)
            if session.ended:
                break
        if writer.can_write_eof():
            with suppress(OSError):  # the peer has cut the connection: reading tells
                writer.write_eof()
        self._wrote_all = True
        if not session.remote_ended:
            await asyncio.sleep(CLOSE_TIMEOUT_S)
        self._finish(None)

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        when = self.session.get_timer()
        if self._timer is not None:
            if when is not None and self._timer.when() <= when:
                return  # it looks again when it fires
            self._timer.cancel()
        self._timer = None if when is None else loop.call_at(when, self._on_timer, loop)

    def _on_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        when = self.session.get_timer()
        try:
            if when is not None and when <= loop.time():
                self.session.handle_timer(loop.time())
        except Exception as error:  # as in _guard
            self._finish(error)
        else:
            self._output.set()

    def _finish(self, error: Exception | None) -> None:
        if not self._over.is_set():
            self.error = error
            self._over.set()

    def _cleanup(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        error = self.error
        if error is not None and not isinstance(error, StreamClosedError):
            code = error.code if isinstance(error, HypermultifeedError) else type(error).__name__
            _log.info("replication stream ended: %s: %s", code, error)
        self._closed.set()
        self._shaken.set()
        self.session.close(error)
        self._wake_feeds_waiters()

    def _wake_feeds_waiters(self) -> None:
        while self._feeds_waiters:
            waiter = self._feeds_waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def _closed_error(self) -> StreamClosedError:
        closed = StreamClosedError("the replication stream is closed")
        closed.__cause__ = self.error
        return closed


class _StreamOwner(SessionOwner):
    """The stream's own interest in its session."""

    def __init__(
        self, shaken: asyncio.Event, on_authenticate: Callable[[bytes], None] | None
    ) -> None:
        self._shaken = shaken
        self._on_authenticate = on_authenticate

    def on_authenticate(self, remote_public_key: bytes) -> None:
        if self._on_authenticate is not None:
            self._on_authenticate(remote_public_key)

    def on_handshake(self) -> None:
        self._shaken.set()


class _Pipe:
    """One direction between two linked streams: what is written can be read at the other end."""

    def __init__(self) -> None:
        self._chunks: deque[bytes | bytearray] = deque()
        self._size = 0
        self._ended = False
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None

    async def read(self, _n: int = -1, /) -> bytes | bytearray:
        while not self._chunks:
            if self._ended:
                return b""
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        chunk = self._chunks.popleft()
        self._size -= len(chunk)
        if self._size <= WRITE_BUFFER:
            _wake(self._writer)
        return chunk

    def write(self, data: bytes | bytearray, /) -> None:
        if not self._ended:
            self._chunks.append(data)
            self._size += len(data)
            _wake(self._reader)

    async def drain(self) -> None:
        while self._size > WRITE_BUFFER and not self._ended:
            self._writer = asyncio.get_running_loop().create_future()
            await self._writer

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._ended = True
        _wake(self._reader)
        _wake(self._writer)

    def close(self) -> None:
        self.write_eof()

    async def wait_closed(self) -> None:
        return


def guarded(
    handler: Callable[[Any, Any], None] | None, name: str
) -> Callable[[Any, Any], None] | None:
    """The same handler of extension ``name``; what it raises is logged and harms no stream."""
    if handler is None:
        return None
    call = handler

    def guard(subject: Any, peer: Any) -> None:
        try:
            call(subject, peer)
        except Exception:
            _log.exception("a handler of the extension %r failed", name)

    return guard


def _tune(writer: Writer) -> None:
    """Let the transport hold much, and send small messages at once.

    asyncio switches Nagle's rule off itself, but not for sockets that were made without naming
    TCP, as `socket.create_server` makes them: small messages then wait 40 ms again and again.
    """
    transport = getattr(writer, "transport", None)
    if transport is None:
        return
    transport.set_write_buffer_limits(high=WRITE_BUFFER)
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):  # it is closed already, or no TCP
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def _close(writer: Writer) -> None:
    """Close a writer; a peer that does not take what is left is not waited for long."""
    writer.close()
    with suppress(OSError):
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await writer.wait_closed()
        except TimeoutError:
            transport = getattr(writer, "transport", None)
            if transport is not None:
                transport.abort()


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)


async def link(a: ReplicationStream, b: ReplicationStream) -> None:
    """Run two streams of one process against each other; returns when both are over.

    Raises:
        ReplicationError: one of them failed; the first error.
    """
    there, back = _Pipe(), _Pipe()
    errors: list[Exception] = []

    async def run(stream: ReplicationStream, reader: _Pipe, writer: _Pipe) -> None:
        try:
            await stream.run(reader, writer)
        except Exception as error:  # raised below
            errors.append(error)
        finally:
            reader.close()

    async with asyncio.TaskGroup() as group:
        group.create_task(run(a, back, there))
        group.create_task(run(b, there, back))
    if errors:
        raise errors[0]
