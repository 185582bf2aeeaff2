"""A peer that says whatever a test wants, and the servers it talks to, over real sockets.

`Hostile` speaks through the library's own wire modules, so that its lies are well-formed where a
test wants them to be. It obeys none of the protocol's rules by itself.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from hypermultifeed.feed.log import Log
from hypermultifeed.keys import KeyPair, NoiseKeyPair, discovery_key
from hypermultifeed.replication.manifest import EXTENSIONS, HANDSHAKE
from hypermultifeed.storage import memory
from hypermultifeed.wire.capability import capability
from hypermultifeed.wire.connection import Connection
from hypermultifeed.wire.messages import (
    Data,
    MessageType,
    Request,
    decode_extension,
    decode_open,
    decode_options,
    decode_request,
    encode_close,
    encode_data,
    encode_extension,
    encode_open,
    encode_options,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from hypermultifeed.hypercore import Hypercore
    from hypermultifeed.multifeed import Multifeed
    from hypermultifeed.stream import ReplicationStream

OPEN, OPTIONS, CLOSE = MessageType.OPEN, MessageType.OPTIONS, MessageType.CLOSE
HAVE, WANT, REQUEST, DATA = (
    MessageType.HAVE,
    MessageType.WANT,
    MessageType.REQUEST,
    MessageType.DATA,
)
EXTENSION = MessageType.EXTENSION

_seeds = itertools.count(1)


class GoneError(Exception):
    """The victim has ended the connection."""


class Hostile:
    """One connection to a victim.

    Attributes:
        connection: the wire's state machine.
        heard: every frame of the victim so far, as (channel, type, body).
        gone: the victim has closed the connection.
    """

    def __init__(self, *, initiator: bool = True, **options: Any) -> None:
        number = next(_seeds)
        self.heard: list[tuple[int, int, bytes]] = []
        self.gone = False
        self._last_id = 0
        self._numbers: dict[bytes, int] = {}
        self._seen = 0
        self.connection = Connection(
            self,
            initiator=initiator,
            key_pair=NoiseKeyPair.from_seed(number.to_bytes(32, "big")),
            ephemeral_seed=number.to_bytes(32, "little"),
            nonce=number.to_bytes(24, "little"),
            now=0.0,
            handshake_timeout_s=0.0,
            timeout_s=0.0,
            **options,
        )

    # --- the connection's handler

    def on_authenticate(self, remote_public_key: bytes) -> None:
        pass

    def on_handshake(self) -> None:
        pass

    def on_frame(self, channel: int, message_type: int, body: bytes) -> None:
        self.heard.append((channel, message_type, body))

    # --- life

    async def connect(self, address: tuple[str, int], *, shake: bool = True) -> Hostile:
        self._reader, self._writer = await asyncio.open_connection(*address, limit=1 << 22)
        if shake:
            await self.flush()
            while not self.connection.handshake_complete:
                await self._hear()
                await self.flush()
        return self

    async def close(self) -> None:
        self._writer.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def stop_reading(self) -> None:
        """Let the victim's output fill the socket."""
        transport = self._writer.transport
        assert isinstance(transport, asyncio.ReadTransport)
        transport.pause_reading()

    # --- saying

    async def say_bytes(self, data: bytes) -> None:
        """Raw bytes, past handshake and cipher."""
        if not data or self.gone:
            return
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError:
            self.gone = True

    def say(self, channel: int, message_type: int, body: bytes) -> None:
        self.connection.send_frame(channel, message_type, body)

    async def flush(self) -> None:
        await self.say_bytes(bytes(self.connection.data_to_send()))

    def open(self, key: bytes, proof: bytes | None = None) -> int:
        """Open a channel; with the right proof that we know the key unless one is given."""
        if proof is None:
            proof = capability(self.connection.tx, self.connection.rx, key)
        self._last_id += 1
        self._numbers[key] = self._last_id
        self.say(self._last_id, OPEN, encode_open(discovery_key(key), proof))
        return self._last_id

    def shut(self, key: bytes) -> None:
        self.say(self._numbers.pop(key), CLOSE, encode_close())

    def on(self, key: bytes, message_type: int, body: bytes) -> None:
        """Say something on the channel of that key."""
        self.say(self._numbers[key], message_type, body)

    # --- hearing

    async def _hear(self) -> None:
        try:
            data = await self._reader.read(1 << 22)
        except ConnectionError:
            data = b""
        if not data:
            self.gone = True
            raise GoneError
        self.connection.receive_data(data, 0.0)

    async def hear(self, message_type: int, *, channel: int | None = None) -> tuple[int, bytes]:
        """The next frame of that type, not heard before; skips others."""
        while True:
            while self._seen < len(self.heard):
                number, kind, body = self.heard[self._seen]
                self._seen += 1
                if kind == message_type and channel in (None, number):
                    return number, body
            await self.flush()
            await self._hear()

    async def hear_open(self, key: bytes) -> int:
        """Wait until the victim has opened the channel of that key; the number it uses last."""
        await self.flush()
        while True:
            for number, kind, body in reversed(self.heard):
                if kind == OPEN and decode_open(body).discovery_key == discovery_key(key):
                    return number
            await self._hear()

    async def hear_request(self) -> Request:
        return decode_request((await self.hear(REQUEST))[1])

    async def until_gone(self) -> None:
        """Wait until the victim ends the connection."""
        await self.flush()
        try:
            while True:
                await self._hear()
        except GoneError:
            return

    async def settle(self) -> None:
        """Send all, and hear until the victim has nothing more to say."""
        await self.flush()
        try:
            while True:
                async with asyncio.timeout(0.5):
                    await self._hear()
        except (TimeoutError, GoneError):
            return

    # --- as a peer of a feed

    async def join_feed(self, key: bytes) -> None:
        """Open a feed's channel, and wait for the victim's end."""
        self.open(key)
        await self.flush()
        await self.hear_open(key)

    def answer(self, log: Log, request: Request) -> Data:
        """What an honest peer would answer."""
        proof = log.proof(request.index, digest=request.nodes, hash=request.hash)
        value = None if request.hash else log.get(request.index)
        return Data(request.index, value, proof.nodes, proof.signature)

    def answer_frame(self, log: Log, request: Request) -> bytes:
        """The body of an honest answer."""
        return encode_data(*self.answer(log, request))

    async def serve(self, log: Log) -> None:
        """Answer every request honestly, for ever."""
        while True:
            request = await self.hear_request()
            self.on(log.key, DATA, encode_data(*self.answer(log, request)))

    # --- as a peer of a multifeed

    async def join_multifeed(self, root: bytes, greeting: object = None) -> None:
        """Open the root key's channel and tell our extensions; greet unless told not to."""
        self.open(root)
        self.on(root, OPTIONS, encode_options(EXTENSIONS, ack=False))
        if greeting is None:
            greeting = {"client": "MULTIFEED", "version": "4.0.0", "userData": None}
        if greeting is not False:
            self.extend(root, HANDSHAKE, greeting)
        self.root_number = await self.hear_open(root)
        _, body = await self.hear(OPTIONS, channel=self.root_number)
        self.names = decode_options(body).extensions

    def extend(self, root: bytes, name: str, message: object) -> None:
        """An extension message: bytes as they are, anything else as JSON."""
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.on(root, EXTENSION, encode_extension(EXTENSIONS.index(name), payload))

    async def hear_extension(self, name: str) -> Any:
        """The next message of that name on the root key's channel, decoded."""
        while True:
            _, body = await self.hear(EXTENSION, channel=self.root_number)
            if self.extension_name(body) == name:
                return json.loads(decode_extension(body).payload)

    def extension_name(self, body: bytes) -> str:
        """What the victim calls the extension of a message."""
        return self.names[decode_extension(body).id]


class Server:
    """Runs a stream of the victim's for every connection.

    Attributes:
        address: host and port.
        streams: all streams so far.
        errors: how those ended that failed.
    """

    def __init__(self, make: Callable[[], ReplicationStream]) -> None:
        self._make = make
        self.address = ("", 0)
        self.streams: list[ReplicationStream] = []
        self.errors: list[Exception] = []
        self._over = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = self._make()
        self.streams.append(stream)
        try:
            await stream.run(reader, writer)
        except Exception as error:  # what a program would log
            self.errors.append(error)
        finally:
            self._over.set()

    async def error(self) -> Exception:
        """Wait for the next failure."""
        while not self.errors:
            self._over.clear()
            await self._over.wait()
        return self.errors.pop(0)


@asynccontextmanager
async def serving(make: Callable[[], ReplicationStream]) -> AsyncIterator[Server]:
    """A TCP server on this machine, whose streams are ended with it."""
    server = Server(make)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.address = listener.sockets[0].getsockname()
    try:
        yield server
    finally:
        listener.close()
        for stream in server.streams:
            stream.destroy()
            await stream.wait_closed()
        await asyncio.sleep(0)


@asynccontextmanager
async def attacked(
    make: Callable[[], ReplicationStream], **options: Any
) -> AsyncIterator[tuple[Hostile, Server]]:
    """A hostile peer that has shaken hands with a victim's stream."""
    async with serving(make) as server, await Hostile(**options).connect(server.address) as hostile:
        yield hostile, server


def writer_log(values: Sequence[bytes], *, seed: int = 1) -> Log:
    """A feed in memory, of which the hostile peer has the secret key."""
    log = Log.open(memory()("relaxed"), key_pair=KeyPair.from_seed(bytes([seed]) * 32))
    if values:
        log.append(list(values))
    return log


async def dialled(stream: ReplicationStream, server: Server) -> None:
    """Run an honest peer's stream against a server until either ends."""
    reader, writer = await asyncio.open_connection(*server.address)
    await stream.run(reader, writer)


async def gets_all(copy: Hypercore, server: Server) -> None:
    """An honest peer is served: it fetches everything of a core, on a stream that ends."""
    await dialled(copy.replicate(True, live=False), server)  # noqa: FBT003


async def until(reached: Callable[[], bool]) -> None:
    """Wait, by the virtual clock, until something has come true."""
    while not reached():  # noqa: ASYNC110 - not everything has an event
        await asyncio.sleep(0.05)


async def until_feed(multi: Multifeed, key: bytes) -> Hypercore:
    """Wait until a multifeed has a feed."""
    await until(lambda: multi.feed(key) is not None)
    feed = multi.feed(key)
    assert feed is not None
    return feed


__all__ = [
    "CLOSE",
    "DATA",
    "EXTENSION",
    "HAVE",
    "OPEN",
    "OPTIONS",
    "REQUEST",
    "WANT",
    "GoneError",
    "Hostile",
    "Server",
    "attacked",
    "dialled",
    "gets_all",
    "serving",
    "until",
    "until_feed",
    "writer_log",
]
