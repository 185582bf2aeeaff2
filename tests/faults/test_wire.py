"""A peer that breaks the rules of the wire loses its connection; nobody else notices.

Every test runs real streams over a real socket, and most end by showing that an honest peer of
the same process is served as ever.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from tests.faults.hostile import (
    CLOSE,
    DATA,
    EXTENSION,
    OPEN,
    OPTIONS,
    REQUEST,
    WANT,
    Hostile,
    attacked,
    dialled,
    gets_all,
    serving,
)
from tests.faults.virtual_time import virtual_time

from hypermultifeed.corestore import Corestore
from hypermultifeed.errors import (
    CapabilityError,
    HandshakeError,
    RemoteProtocolError,
    ReplicationError,
    ReplicationTimeoutError,
)
from hypermultifeed.hypercore import Hypercore
from hypermultifeed.keys import KeyPair
from hypermultifeed.replication import channels
from hypermultifeed.storage import memory
from hypermultifeed.wire.capability import capability
from hypermultifeed.wire.messages import (
    encode_close,
    encode_data,
    encode_extension,
    encode_open,
    encode_options,
    encode_request,
    encode_want,
)

if TYPE_CHECKING:
    from tests.faults.hostile import Server

VALUES = [b"%d" % number for number in range(20)]


async def core_of(values: list[bytes] = VALUES) -> Hypercore:
    core = Hypercore(memory(), key_pair=KeyPair.from_seed(b"\1" * 32))
    await core.ready()
    await core.extend(values)
    return core


async def check_served(core: Hypercore, server: Server) -> None:
    """An honest peer that comes now gets everything."""
    async with Hypercore(memory(), core.key) as copy:
        await gets_all(copy, server)
        assert copy.downloaded() == core.length


def answering(core: Hypercore) -> Any:
    return lambda: core.replicate(False)  # noqa: FBT003


# --- before and within the handshake -------------------------------------------------------------

FIRST_BYTES = {
    "undecodable varint": b"\xff" * 3 + b"\xff" * 8,
    "varint of ten bytes": b"\xff" * 9 + b"\x01",
    "2**53 bytes": b"\x80\x80\x80\x80\x80\x80\x80\x10",
    "a negative length when cast": b"\xff\xff\xff\xff\x0f",
    "more than a handshake": b"\x81\x20" + bytes(10),
    "an empty message": b"\x00" * 5,
    "plain text": b"GET / HTTP/1.1\r\n" + b"Host: example.org\r\n" * 4,
    "a key of low order": b"\x20" + bytes(32),
}


@pytest.mark.parametrize("name", FIRST_BYTES)
@virtual_time
async def test_unusable_first_bytes_close_that_socket_alone(name: str) -> None:
    """Coded error, the socket is closed, the process and its other peers go on."""
    async with await core_of() as core, serving(answering(core)) as server:
        async with await Hostile().connect(server.address, shake=False) as hostile:
            await hostile.say_bytes(FIRST_BYTES[name])
            assert isinstance(await server.error(), RemoteProtocolError)
            await hostile.until_gone()
        await check_served(core, server)


@virtual_time
async def test_random_first_bytes_close_that_socket_alone() -> None:
    """Any bytes end in a coded error, or wait for more until the deadline."""
    choice = random.Random(4)
    async with await core_of() as core, serving(answering(core)) as server:
        for _ in range(50):
            async with await Hostile().connect(server.address, shake=False) as hostile:
                await hostile.say_bytes(choice.randbytes(choice.choice([1, 3, 33, 200])))
                assert isinstance(await server.error(), ReplicationError)
        await check_served(core, server)


@virtual_time
async def test_dripping_bytes_do_not_move_the_deadline_of_the_handshake() -> None:
    """The deadline counts from accept; one byte every eight seconds gains nothing."""
    async with await core_of() as core, serving(answering(core)) as server:
        loop = asyncio.get_running_loop()
        async with await Hostile().connect(server.address, shake=False) as hostile:
            began = loop.time()
            failing = asyncio.create_task(server.error())
            for byte in b"\x20" + bytes(31):
                await hostile.say_bytes(bytes([byte]))
                await asyncio.wait([failing], timeout=8.0)
                if failing.done():
                    break
            assert isinstance(await failing, ReplicationTimeoutError)
            assert 9.9 < loop.time() - began < 10.5
        await check_served(core, server)


@virtual_time
async def test_a_frame_that_drips_is_cut_though_bytes_come() -> None:
    """After the handshake an unfinished frame has to grow at a minimum rate."""
    async with await core_of() as core, attacked(answering(core)) as (hostile, server):
        loop = asyncio.get_running_loop()
        began = loop.time()
        failing = asyncio.create_task(server.error())
        hostile.say(1, EXTENSION, bytes(2000))
        frame = bytes(hostile.connection.data_to_send())
        for at in range(len(frame)):
            await hostile.say_bytes(frame[at : at + 1])
            await asyncio.wait([failing], timeout=5.0)
            if failing.done():
                break
        assert isinstance(await failing, ReplicationTimeoutError)
        assert loop.time() - began < 60.0
        await check_served(core, server)


@virtual_time
async def test_many_silent_connections_are_gone_after_the_deadline() -> None:
    """Peers that say nothing cost a socket until the deadline; present peers are kept."""
    async with (
        await core_of() as core,
        serving(answering(core)) as server,
        Hypercore(memory(), core.key) as copy,
    ):
        honest = copy.replicate(True)  # noqa: FBT003
        running = asyncio.create_task(dialled(honest, server))
        await copy.get(0)
        silent = [await Hostile().connect(server.address, shake=False) for _ in range(100)]
        for hostile in silent:
            await hostile.until_gone()
            await hostile.close()
        assert len(server.errors) == 100
        assert {type(error) for error in server.errors} == {ReplicationTimeoutError}
        await core.append(b"later")
        assert await copy.get(core.length - 1) == b"later"
        await honest.close()
        await running


async def recorded(core: Hypercore) -> tuple[list[bytes], Hostile]:
    """The initiator's bytes of a good session: two handshake messages and a first frame."""
    said: list[bytes] = []

    class Recording(Hostile):
        async def say_bytes(self, data: bytes) -> None:
            if data:
                said.append(data)
            await super().say_bytes(data)

    async with (
        serving(answering(core)) as server,
        await Recording().connect(server.address) as peer,
    ):
        await peer.join_feed(core.key)
    return said, peer


@virtual_time
async def test_a_replayed_session_fails_at_the_first_authenticated_byte() -> None:
    """A capture of a whole good session opens nothing: the victim's keys are fresh."""
    async with await core_of() as core:
        said, _ = await recorded(core)
        assert len(said) >= 3
        async with serving(answering(core)) as server:
            async with await Hostile().connect(server.address, shake=False) as hostile:
                for part in said:
                    await hostile.say_bytes(part)
                error = await server.error()
            assert isinstance(error, HandshakeError)
            assert server.streams[0].session.channels == []
            await check_served(core, server)


@virtual_time
async def test_a_flipped_bit_anywhere_in_the_handshake_is_one_and_the_same_error() -> None:
    """Every byte of both messages; no state, no difference to be seen from outside."""
    async with await core_of() as core, serving(answering(core)) as server:
        errors = set()
        for place in range(100):
            hostile = Hostile()
            async with await hostile.connect(server.address, shake=False):
                first = bytes(hostile.connection.data_to_send())
                await hostile.say_bytes(first)
                await hostile._hear()
                last = bytearray(hostile.connection.data_to_send())
                last[1 + place % (len(last) - 1)] ^= 1 << place % 8
                await hostile.say_bytes(bytes(last))
                error = await server.error()
                errors.add((type(error), str(error)))
        assert len(errors) <= 2  # the key's MAC, the payload's MAC
        assert {kind for kind, _ in errors} == {HandshakeError}
        await check_served(core, server)


@virtual_time
async def test_a_handshake_cut_off_anywhere_is_a_coded_error() -> None:
    """The peer ends its output after each byte of its messages in turn."""
    async with await core_of() as core, serving(answering(core)) as server:
        for length in range(0, 33, 4):
            hostile = Hostile()
            async with await hostile.connect(server.address, shake=False):
                await hostile.say_bytes(bytes(hostile.connection.data_to_send())[:length])
                hostile._writer.write_eof()
                assert isinstance(await server.error(), HandshakeError)
        await check_served(core, server)


@pytest.mark.parametrize(
    "options", [{"noise": False, "encrypted": False}, {"encrypted": False}], ids=["noise", "cipher"]
)
@virtual_time
async def test_a_peer_cannot_talk_us_out_of_encryption(options: dict[str, bool]) -> None:
    """A peer in a weaker mode opens nothing and learns nothing; it is one side's choice only."""
    async with await core_of() as core, serving(answering(core)) as server:
        hostile = Hostile(**options)
        async with await hostile.connect(server.address, shake=False):
            if options.get("noise", True):
                await hostile.flush()
                while not hostile.connection.handshake_complete:
                    await hostile._hear()
                await hostile.flush()
            hostile.say(1, OPEN, encode_open(core.discovery_key, bytes(32)))
            for _ in range(8):  # what it says in clear is deciphered to noise
                hostile.say(1, EXTENSION, bytes(range(256)))
            await hostile.flush()
            assert isinstance(await server.error(), ReplicationError)
            assert not any(core.discovery_key in body for _, _, body in hostile.heard)
        assert core.peers == []
        await check_served(core, server)


# --- frames --------------------------------------------------------------------------------------


@virtual_time
async def test_any_fragmentation_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Single bytes, halves and everything at once: the same blocks arrive."""
    async with await core_of() as core:
        for size in (1, 2, 7, 1 << 20):

            class Pieces:
                def __init__(self, reader: asyncio.StreamReader) -> None:
                    self._reader = reader

                async def read(self, _n: int = -1, /) -> bytes:
                    return await self._reader.read(size)  # noqa: B023

            async with serving(answering(core)) as server, Hypercore(memory(), core.key) as copy:
                reader, writer = await asyncio.open_connection(*server.address)
                await copy.replicate(True, live=False).run(Pieces(reader), writer)  # noqa: FBT003
                assert [await copy.get(i) for i in range(copy.length)] == VALUES


@pytest.mark.parametrize(
    "length",
    [8 * 1024 * 1024 + 64, 2**31 + 1, 2**32 - 1, 2**53, 2**63, 2**64 - 1],
    ids=hex,
)
@virtual_time
async def test_a_frame_that_claims_too_much_costs_nothing(length: int) -> None:
    """The length alone ends the stream, before anything is allocated for it."""
    async with await core_of() as core, attacked(answering(core)) as (hostile, server):
        head = bytearray()
        while length > 127:
            head.append(length & 127 | 128)
            length >>= 7
        head.append(length)
        assert hostile.connection._cipher is not None
        tracemalloc.start()
        try:
            await hostile.say_bytes(
                bytes(hostile.connection._cipher.encrypt([bytes(head), b"\x13"]))
            )
            error = await server.error()
            assert isinstance(error, RemoteProtocolError)
            assert tracemalloc.get_traced_memory()[1] < 4 << 20
        finally:
            tracemalloc.stop()
        await check_served(core, server)


@virtual_time
async def test_memory_grows_with_what_came_of_a_frame_not_with_its_claim() -> None:
    """A hundred peers each claim eight million bytes and send a hundred."""
    async with await core_of() as core, serving(answering(core)) as server:
        claim = b"\x81\x80\x80\x04" + b"\x13" + bytes(100)
        peers = [await Hostile().connect(server.address) for _ in range(50)]
        tracemalloc.start()
        try:
            for hostile in peers:
                assert hostile.connection._cipher is not None
                await hostile.say_bytes(bytes(hostile.connection._cipher.encrypt([claim])))
            await check_served(core, server)
            assert tracemalloc.get_traced_memory()[1] < 16 << 20
        finally:
            tracemalloc.stop()
        assert server.errors == []
        for hostile in peers:
            await hostile.close()


BODIES = {
    "empty": b"",
    "ones": b"\xff" * 40,
    "zeros": bytes(40),
    "wrong wire types": b"\x0d\x01\x02\x03\x04\x11" + bytes(8) + b"\x1b",
    "length beyond the end": b"\x0a\xff\x7f\x01",
    "a field twice": b"\x08\x01\x08\x02\x10\x03\x10\x04",
    "fields of every number": bytes(b for n in range(1, 16) for b in (n << 3, 1)),
    "numbers above 2**53": b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    "tag zero": b"\x00\x00",
}


@pytest.mark.parametrize("message_type", range(16))
@virtual_time
async def test_malformed_messages_end_that_stream_with_a_code_or_are_ignored(
    message_type: int,
) -> None:
    """Of every type, on an open channel, on one that is not, and on the stream's own."""
    async with await core_of() as core, serving(answering(core)) as server:
        for body in BODIES.values():
            for channel in (0, 1, 7, 10**6):
                async with await Hostile().connect(server.address) as hostile:
                    await hostile.join_feed(core.key)
                    hostile.say(channel, message_type, body)
                    hostile.say(0, CLOSE, encode_close(bytes(32)))
                    await hostile.flush()
                    hostile._writer.write_eof()
                    await hostile.until_gone()
        assert all(isinstance(error, RemoteProtocolError) for error in server.errors)
        await check_served(core, server)


@virtual_time
async def test_random_messages_never_do_more_than_end_their_stream() -> None:
    """A thousand frames of random types, channels and bodies."""
    choice = random.Random(11)
    async with await core_of() as core, serving(answering(core)) as server:
        for _ in range(60):
            async with await Hostile().connect(server.address) as hostile:
                await hostile.join_feed(core.key)
                for _ in range(30):
                    body = choice.randbytes(choice.randrange(40))
                    hostile.say(choice.choice([0, 1, 1, 1, 2]), choice.randrange(16), body)
                await hostile.flush()
                hostile._writer.write_eof()
                await hostile.until_gone()
        assert all(isinstance(error, ReplicationError) for error in server.errors)
        assert len(server.errors) > 30
        await check_served(core, server)


@virtual_time
async def test_unknown_types_and_extensions_are_ignored() -> None:
    """The stream goes on, and so does the channel."""
    async with await core_of() as core, attacked(answering(core)) as (hostile, server):
        await hostile.join_feed(core.key)
        for unknown in (11, 12, 13, 14):
            hostile.on(core.key, unknown, b"\xff" * 9)
        hostile.on(core.key, EXTENSION, encode_extension(2**40, b"x"))
        hostile.say(0, EXTENSION, encode_extension(3, b"x"))
        hostile.on(core.key, EXTENSION, encode_extension(0, b"x"))
        hostile.on(core.key, REQUEST, encode_request(3))
        assert (await hostile.hear(DATA))[0] == 1
        assert server.errors == []


# --- channels ------------------------------------------------------------------------------------


@virtual_time
async def test_opens_of_unknown_feeds_are_bounded_refused_and_touch_no_file() -> None:
    """Ten thousand: all refused, nothing kept, nothing stored; too many in all: the end."""
    async with Corestore(memory()) as store:
        core = await store.get(name="a")
        await core.append(b"here")
        before = sorted(store.cores.storage.list_files())
        async with (
            serving(lambda: store.replicate(False)) as server,  # noqa: FBT003
            await Hostile().connect(server.address) as hostile,
        ):
            for number in range(10_000):
                hostile.say(number + 1, OPEN, encode_open(number.to_bytes(32, "big"), bytes(32)))
            await hostile.settle()
            assert server.streams[0].stats.refused == 10_000
            assert len(server.streams[0].session.channels) == 1
            for number in range(10_000, 20_000):
                hostile.say(number + 1, OPEN, encode_open(number.to_bytes(32, "big"), bytes(32)))
            await hostile.flush()
            assert isinstance(await server.error(), RemoteProtocolError)
            assert sorted(store.cores.storage.list_files()) == before
            async with Hypercore(memory(), core.key) as copy:
                await gets_all(copy, server)
                assert copy.downloaded() == 1


@virtual_time
async def test_pending_opens_on_a_patient_stream_are_bounded() -> None:
    """Where others may join later, Opens wait; at most a thousand of them."""
    async with await core_of() as core, attacked(answering(core)) as (hostile, server):
        for number in range(5000):
            hostile.say(number + 1, OPEN, encode_open(number.to_bytes(32, "big"), bytes(32)))
        await hostile.settle()
        session = server.streams[0].session
        assert len(session.channels) <= channels.MAX_PENDING_OPENS + 1
        assert server.streams[0].stats.refused >= 5000 - channels.MAX_PENDING_OPENS
        await check_served(core, server)


@virtual_time
async def test_opening_and_closing_in_a_loop_ends_at_the_allowed_rate() -> None:
    """The same known feed again and again; the loop costs the peer its connection."""
    async with Corestore(memory()) as store:
        core = await store.get(name="a")
        await core.append(b"here")
        async with (
            serving(lambda: store.replicate(False)) as server,  # noqa: FBT003
            await Hostile().connect(server.address) as hostile,
        ):
            failing = asyncio.create_task(server.error())
            for _ in range(40):
                for _ in range(500):
                    hostile.open(core.key)
                    hostile.shut(core.key)
                await hostile.flush()
                await asyncio.wait([failing], timeout=0.01)
                if failing.done():
                    break
            assert isinstance(await failing, RemoteProtocolError)
            assert core.peers == []
            async with Hypercore(memory(), core.key) as copy:
                await gets_all(copy, server)
                assert copy.downloaded() == 1


@pytest.mark.parametrize("proof", ["none", "zeros", "reflected", "other session", "other key"])
@virtual_time
async def test_knowing_the_discovery_key_opens_nothing(proof: str) -> None:
    """Without proof of the key itself there are no data, and no sign that the feed exists."""
    async with await core_of() as core, serving(answering(core)) as server:
        async with await Hostile().connect(server.address) as hostile:
            connection = hostile.connection
            _, body = await hostile.hear(OPEN)
            theirs = {
                "none": None,
                "zeros": bytes(32),
                "reflected": body[-32:],
                "other session": capability(bytes(32), bytes(32), core.key),
                "other key": capability(connection.tx, connection.rx, bytes(32)),
            }[proof]
            hostile.say(1, OPEN, encode_open(core.discovery_key, theirs))
            for index in range(3):
                hostile.say(1, REQUEST, encode_request(index))
                hostile.say(1, WANT, encode_want(0, 1 << 20))
            await hostile.flush()
            assert isinstance(await server.error(), CapabilityError)
            await hostile.until_gone()
            assert {kind for _, kind, _ in hostile.heard} <= {OPEN, CLOSE, OPTIONS}
        await check_served(core, server)


@virtual_time
async def test_a_stored_feed_and_an_unknown_one_are_refused_alike() -> None:
    """A peer without the key cannot find out which feeds a store holds."""
    async with Corestore(memory()) as store:
        core = await store.get(name="a")
        await core.append(b"here")
        stored = core.discovery_key
        await store.namespace("other").get(name="b")
        answers = []
        async with serving(lambda: store.namespace("n").replicate(False)) as server:  # noqa: FBT003
            for wanted in (stored, bytes(32)):
                async with await Hostile().connect(server.address) as hostile:
                    hostile.say(1, OPEN, encode_open(wanted, bytes(32)))
                    await hostile.settle()
                    answers.append([(kind, len(body)) for _, kind, body in hostile.heard])
        assert answers[0] == answers[1]


# --- memory --------------------------------------------------------------------------------------


@virtual_time
async def test_names_of_extensions_are_bounded_in_bytes() -> None:
    """Eight million bytes of names on every channel: next to nothing is kept."""
    async with await core_of() as core, attacked(answering(core)) as (hostile, server):
        await hostile.join_feed(core.key)
        body = encode_options(["n" * 8000 + str(number) for number in range(900)])
        for channel in (0, 1):
            hostile.say(channel, OPTIONS, body)
        hostile.on(core.key, REQUEST, encode_request(0))
        await hostile.hear(DATA)
        session = server.streams[0].session
        [peer] = core.peers
        for kept in (session._remote_extensions._names, peer.remote_extensions._names):
            assert sum(map(len, kept)) <= 1 << 16


@virtual_time
async def test_a_peer_that_asks_and_never_reads_costs_a_bounded_buffer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Small answers that nobody takes are not piled up for ever: the stream ends."""
    monkeypatch.setattr("hypermultifeed.stream.OUTPUT_MAX", 1 << 20)
    async with await core_of() as core, attacked(answering(core)) as (hostile, server):
        await hostile.join_feed(core.key)
        hostile.on(core.key, WANT, encode_want(0, 1 << 20))
        await hostile.settle()
        hostile.stop_reading()
        unasked = encode_data(10**9, b"x", (), None)
        session = server.streams[0].session
        failing = asyncio.create_task(server.error())
        while not failing.done():
            for _ in range(10_000):
                hostile.on(core.key, DATA, unasked)
            await hostile.flush()
            assert session.output_size < 4 << 20
        assert isinstance(await failing, RemoteProtocolError)
        await check_served(core, server)


@virtual_time
async def test_a_peer_that_requests_and_never_reads_is_not_read_either() -> None:
    """Blocks are sent as fast as they are taken; requests beyond that wait in the socket."""
    async with (
        await core_of([bytes(1 << 16)] * 20) as core,
        attacked(answering(core)) as (hostile, server),
    ):
        await hostile.join_feed(core.key)
        session = server.streams[0].session
        hostile.stop_reading()
        for turn in range(20):
            for number in range(turn * 5000, turn * 5000 + 5000):
                hostile.on(core.key, REQUEST, encode_request(number % 20, number))
            await hostile.flush()
            await asyncio.sleep(1.0)
        assert session.input_paused
        assert session.queued_requests < 50_000
        assert session.connection.bytes_received < 1 << 20
        assert session.output_size < 4 << 20
        await check_served(core, server)


# --- names, secrets, clocks ----------------------------------------------------------------------


@virtual_time
async def test_no_secret_is_logged_or_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Not the feed's key, which lets one read, nor any secret one, in logs, repr and errors."""
    caplog.set_level(logging.DEBUG, logger="hypermultifeed")
    async with await core_of() as core, serving(answering(core)) as server:
        async with await Hostile().connect(server.address) as hostile:
            hostile.open(core.key, bytes(32))
            await hostile.flush()
            error = await server.error()
        await check_served(core, server)
        shown = caplog.text + repr(core) + repr(server.streams) + repr(error) + repr(core.stats)
        assert core.secret_key is not None
        for secret in (core.key, core.secret_key, core.secret_key[:32]):
            assert secret.hex() not in shown
            assert repr(secret) not in shown


@virtual_time
async def test_the_wall_clock_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may stand, go backwards or jump by years while a feed is replicated."""
    times = itertools.cycle([2e9, 0.0, 1e9, 1e9, 5e8, 3e9])
    monkeypatch.setattr(time, "time", lambda: next(times))
    async with (
        await core_of() as core,
        serving(answering(core)) as server,
        Hypercore(memory(), core.key) as copy,
    ):
        stream = copy.replicate(True)  # noqa: FBT003
        running = asyncio.create_task(dialled(stream, server))
        for number in range(5):
            await core.append(b"at %d" % number)
            assert await copy.get(core.length - 1) == b"at %d" % number
            await asyncio.sleep(100.0)  # keep-alives on the loop's own clock
        assert not stream.closed
        await stream.close()
        await running


@virtual_time
async def test_a_suspended_machine_finds_its_streams_closed_not_itself_broken() -> None:
    """The clock jumps by hours: the stream ends in order, and a new one works."""
    async with (
        await core_of() as core,
        serving(answering(core)) as server,
        Hypercore(memory(), core.key) as copy,
    ):
        stream = copy.replicate(True)  # noqa: FBT003
        running = asyncio.create_task(dialled(stream, server))
        await copy.get(0)
        loop: Any = asyncio.get_running_loop()
        loop.now += 3 * 3600.0
        with pytest.raises(ReplicationTimeoutError):
            await running
        await check_served(core, server)
