"""Multifeed against hypermultifeed 1.1.0: constants, folders, and its transcripts replayed."""

from __future__ import annotations

import asyncio
import base64
import json
import zlib
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.corestore import Corestore
from hypermultifeed.errors import NotReadyError
from hypermultifeed.keys import DEFAULT_KEY, KeyPair, NoiseKeyPair, discovery_key
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.replication import manifest
from hypermultifeed.replication.channels import Session
from hypermultifeed.storage import memory
from hypermultifeed.stream import ReplicationStream, link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "multifeed.json").read_text())
DISK: dict[str, Any] = {entry["name"]: entry for entry in VECTORS["disk"]}
TRANSCRIPTS: dict[str, Any] = {entry["name"]: entry for entry in VECTORS["transcripts"]}
SIDES = ("initiator", "responder")
CODED = {
    "handshake-version-3": "ERR_VERSION_MISMATCH",
    "handshake-both-wrong": "ERR_VERSION_MISMATCH",
    "handshake-wrong-client": "ERR_CLIENT_MISMATCH",
    "handshake-bad-json": "ERR_REMOTE_PROTOCOL",
}


def content(entry: dict[str, Any]) -> bytes:
    if "zlib" in entry:
        return zlib.decompress(base64.b64decode(entry["zlib"]))
    return base64.b64decode(entry["base64"])


def expected(name: str) -> dict[str, bytes]:
    return {file: content(entry) for file, entry in DISK[name]["files"].items()}


def write_folder(folder: Path, name: str) -> None:
    for file, data in expected(name).items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def read_folder(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_constants() -> None:
    constants = VECTORS["constants"]
    assert DEFAULT_KEY.hex() == constants["defaultRootKey"]
    assert discovery_key(DEFAULT_KEY).hex() == constants["defaultRootDiscoveryKey"]


# --- folders


@pytest.mark.parametrize("name", ["ready-only", "one-writer"])
async def test_folder_has_the_bytes_of_the_original(name: str, tmp_path: Path) -> None:
    (tmp_path / "master_key").write_bytes(expected(name)["master_key"])
    async with Multifeed(tmp_path, value_encoding="json") as multi:
        if name == "one-writer":
            writer = await multi.writer("local")
            await writer.extend([{"n": 1}, {"n": 2}, "three"])
            assert [feed.key.hex() for feed in multi.feeds()] == [
                feed["key"] for feed in DISK[name]["feeds"]
            ]
    assert read_folder(tmp_path) == expected(name)


async def test_folder_after_replication_has_the_bytes_of_the_original(tmp_path: Path) -> None:
    """The remote feed is served from a copy of the original's folder, which has all of it."""
    name = "after-replication"
    remote = bytes.fromhex(DISK[name]["feeds"][1]["key"])
    source, ours = tmp_path / "source", tmp_path / "ours"
    write_folder(source, name)
    ours.mkdir()
    (ours / "master_key").write_bytes(expected(name)["master_key"])
    async with Multifeed(ours, value_encoding="json") as multi, Corestore(source) as store:
        writer = await multi.writer("local")
        await writer.append({"n": 1})
        await multi.add_remote([remote])
        feed = multi.feed(remote)
        assert feed is not None
        await store.get(remote)
        await link(
            feed.replicate(True, live=False),  # noqa: FBT003
            store.replicate(False, live=False),  # noqa: FBT003
        )
        assert [await feed.get(0), await feed.get(1)] == [{"r": 1}, {"r": 2}]
    assert read_folder(ours) == expected(name)


@pytest.mark.parametrize("name", DISK)
async def test_folder_of_the_original_opens_and_stays_as_it_is(name: str, tmp_path: Path) -> None:
    write_folder(tmp_path, name)
    multi = Multifeed(tmp_path, value_encoding="json")
    with multi.events() as added:
        await multi.ready()
        events = [{"key": e.feed.key.hex(), "name": e.name} for e in added.fetch()]
    feeds = DISK[name].get("feeds", [])
    assert events == [{"key": feed["key"], "name": feed["name"][0]} for feed in feeds]
    for feed, ours in zip(feeds, multi.feeds(), strict=True):
        assert (ours.length, ours.downloaded(), ours.writable) == (
            feed["length"],
            feed["downloaded"],
            feed["writable"],
        )
        if feed["writable"]:
            assert await multi.writer(feed["name"][0]) is ours
    await multi.close()
    assert read_folder(tmp_path) == expected(name)


async def test_reopening_gives_what_the_original_gives(tmp_path: Path) -> None:
    (reopened,) = VECTORS["reopen"]
    write_folder(tmp_path, "after-replication")
    multi = Multifeed(tmp_path, value_encoding="json")
    with multi.events() as added:
        await multi.ready()
        assert [
            {"key": event.feed.key.hex(), "name": event.name} for event in added.fetch()
        ] == reopened["feedEvents"]
    assert (await multi.writer("local") is multi.feeds()[0]) == reopened["writerReturnsSameFeed"]
    await multi.close()


# --- quirks of the original: documented behaviour instead


async def test_quirks_are_not_copied() -> None:
    quirks = {entry["what"]: entry for entry in VECTORS["quirks"]}
    async with Multifeed(memory()) as multi:
        assert quirks['writer(cb) twice and writer("undefined")']["allSameFeed"]
        assert len({(await multi.writer()).key for _ in range(2)}) == 2
        pair = KeyPair.from_seed(bytes(32))
        assert (await multi.writer("pair", key_pair=pair)).key == pair.public_key
        first = await multi.writer("9")
        await multi.add_remote([b"\x11" * 32])
        assert await multi.writer("9") is first
    unready = Multifeed(memory())
    with pytest.raises(NotReadyError) as caught:
        unready.replicate(True)  # noqa: FBT003
    assert str(caught.value) == quirks["replicate before ready"]["error"]
    async with Multifeed(memory()) as multi:
        with pytest.raises(TypeError, match="initiator"):
            multi.replicate(None)  # type: ignore[arg-type]


# --- transcripts, through the whole stack


def root_key(transcript: Any, side: str) -> bytes:
    named = transcript["rootKey"]
    if named == "default":
        return DEFAULT_KEY
    if len(named) == 64:
        return bytes.fromhex(named)
    return bytes([7 if side == "initiator" else 8]) * 32


def is_manifest(frame: Any, side: str) -> bool:
    decoded = frame.get("decoded", {})
    sent = (frame.get("from"), decoded.get("extensionId"), decoded.get("channel"))
    return sent == (side, 1, 1)


def manifests(transcript: Any, side: str) -> list[list[str]]:
    return [
        json.loads(frame["decoded"]["payloadText"])["keys"]
        for frame in transcript["frames"]
        if is_manifest(frame, side)
    ]


def said(frames: list[Any], side: str, channel: int = 1) -> dict[str, list[Any]]:
    """What a side said of the exchange, and which keys it opened, as far as order matters."""
    found: dict[str, list[Any]] = {name: [] for name in (*manifest.EXTENSIONS, "Open")}
    for frame in frames:
        decoded = frame.get("decoded", {})
        if frame.get("from") != side or not decoded:
            continue
        if decoded.get("type") == "Open":
            found["Open"].append(decoded["message"]["discoveryKey"])
        elif decoded.get("extensionId") is not None and decoded["channel"] == channel:
            name = manifest.EXTENSIONS[decoded["extensionId"]]
            found[name].append(json.loads(decoded["payloadText"]))
    found["Open"].sort()
    return found


class Recorder(Session):
    """A session that keeps what was sent, decoded as the transcripts are."""

    def __init__(self, **options: Any) -> None:
        self.frames: list[Any] = []
        super().__init__(**options)

    def send_frame(self, number: int, message_type: int, body: bytes | list[bytes]) -> None:
        whole = body if isinstance(body, bytes) else b"".join(body)
        decoded: dict[str, Any] = {"channel": number}
        if message_type == 0:
            assert whole[:2] == b"\x0a\x20"
            decoded.update(type="Open", message={"discoveryKey": whole[2:34].hex()})
        elif message_type == 15:
            decoded.update(extensionId=whole[0], payloadText=whole[1:].decode())
        self.frames.append({"from": "us", "decoded": decoded})
        super().send_frame(number, message_type, body)


def session_of(transcript: Any, side: str) -> Recorder:
    """A session with the keys and the randomness of that side."""
    keys = transcript["handshake"][side]
    pairs = {
        which: NoiseKeyPair(
            bytes.fromhex(keys[f"{which}PublicKey"]), bytes.fromhex(keys[f"{which}SecretKey"])
        )
        for which in ("static", "ephemeral")
    }
    return Recorder(
        initiator=side == "initiator",
        key_pair=pairs["static"],
        ephemeral_seed=b"",
        ephemeral=pairs["ephemeral"],
        nonce=bytes.fromhex(keys["payloadNonce"]),
        live=True,
        timeout_s=0.0,
    )


@asynccontextmanager
async def side_of(transcript: Any, side: str) -> AsyncIterator[Multifeed]:
    """The multifeed that side had before the transcript began."""
    master_key = transcript["masterKeys"][side]
    async with (
        Corestore(memory(), master_key=master_key) as store,
        Multifeed(store, key=root_key(transcript, side)) as multi,
    ):
        first = next(iter(manifests(transcript, side)), [])
        await add(multi, transcript, side, first)
        yield multi


async def add(multi: Multifeed, transcript: Any, side: str, keys: list[str]) -> None:
    """Add feeds as the script of the transcript did."""
    known = {feed["key"]: feed for feed in transcript["feedsAfter"][side]}
    for key in keys:
        feed = known[key]
        if feed["writable"]:
            writer = await multi.writer(feed["name"][0])
            assert writer.key.hex() == key
            await writer.extend([b"x"] * feed["length"])
        else:
            await multi.add_remote([bytes.fromhex(key)])


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


REPLAYED = [
    (name, side)
    for name, transcript in TRANSCRIPTS.items()
    for side in transcript.get("feedsAfter", ())
]


@pytest.mark.parametrize(("name", "side"), REPLAYED)
async def test_transcript_replayed(name: str, side: str) -> None:
    transcript = TRANSCRIPTS[name]
    other = SIDES[1 - SIDES.index(side)]
    opening = said(transcript["frames"], side)["Open"]
    async with side_of(transcript, side) as multi:
        stream = ReplicationStream(side == "initiator")
        session = stream.session = session_of(transcript, side)
        session.start(0.0)
        user_data = None
        for frame in transcript["frames"]:
            if frame.get("from") == side and frame.get("decoded", {}).get("extensionId") == 0:
                user_data = json.loads(frame["decoded"]["payloadText"]).get("userData")
                break
        if opening:
            multi.replicate(side == "initiator", stream=stream, user_data=user_data)
        manifests_seen = 0
        for frame in transcript["frames"]:
            if frame.get("from") == other and "wire" in frame and not session.closed:
                session.receive_data(bytes.fromhex(frame["wire"]), 0.0)
                await settle()
            elif is_manifest(frame, side):
                manifests_seen += 1
                if manifests_seen > 1:
                    keys = json.loads(frame["decoded"]["payloadText"])["keys"]
                    await add(multi, transcript, side, keys)
                    await settle()
            session.data_to_send()
        ours, theirs = said(session.frames, "us"), said(transcript["frames"], side)
        if name in CODED:
            mux = multi._muxes[stream]
            assert getattr(mux.error, "code", None) == CODED[name]
            assert ours[manifest.HANDSHAKE] == theirs[manifest.HANDSHAKE]
            assert not stream.closed  # it was shared, so only this multifeed is over
            return
        if name == "foreign-request":  # see test_multifeed_exchange
            ours["Open"] = ours["Open"][:1]
            theirs["Open"] = ours["Open"]
            theirs[manifest.REPLICATE_FEEDS] = [theirs[manifest.MANIFEST][0]["keys"]]
        assert ours == theirs
        after = transcript["feedsAfter"][side]
        assert [feed.key.hex() for feed in multi.feeds()] == [feed["key"] for feed in after]


async def test_late_open_starts_whoever_was_first() -> None:
    """In the transcript the late side never says a word and destroys the stream in the end."""
    transcript = {**TRANSCRIPTS["late-open"], "feedsAfter": {"responder": []}}
    assert said(transcript["frames"], "responder")[manifest.HANDSHAKE] == []
    async with (
        side_of(transcript, "responder") as multi,
        Multifeed(memory(), key=b"\x55" * 32) as another,
    ):
        stream = ReplicationStream(False)  # noqa: FBT003
        session = stream.session = session_of(transcript, "responder")
        session.start(0.0)
        another.replicate(False, stream=stream)  # noqa: FBT003
        for frame in transcript["frames"]:
            if frame.get("from") == "initiator" and "wire" in frame:
                session.receive_data(bytes.fromhex(frame["wire"]), 0.0)
            elif "step" in frame:
                multi.replicate(False, stream=stream)  # noqa: FBT003
            session.data_to_send()
        found = said(session.frames, "us", channel=2)
        assert len(found[manifest.HANDSHAKE]) == len(found[manifest.MANIFEST]) == 1


@pytest.mark.parametrize("case", VECTORS["robustness"], ids=lambda case: case["name"])
async def test_what_throws_in_the_original_leaves_the_connection_alive(
    case: dict[str, Any],
) -> None:
    """The message goes over a shared stream; another multifeed on it goes on."""
    other_root = b"\x55" * 32
    async with (
        Multifeed(memory(), key=b"\x44" * 32) as ours,
        Multifeed(memory(), key=b"\x44" * 32) as theirs,
        Multifeed(memory(), key=other_root) as healthy_ours,
        Multifeed(memory(), key=other_root) as healthy_theirs,
    ):
        await ours.writer("local")
        left, right = ReplicationStream(True), ReplicationStream(False)  # noqa: FBT003
        for multi in (ours, healthy_ours):
            multi.replicate(True, stream=left)  # noqa: FBT003
        for multi in (theirs, healthy_theirs):
            multi.replicate(False, stream=right)  # noqa: FBT003
        joined = asyncio.create_task(link(left, right))
        await right.remote_feeds()
        exchange = theirs._muxes[right]._exchange
        assert exchange is not None
        for number, text in case["sent"]:
            exchange.channel.send_extension(number, text.encode())
        with healthy_ours.events() as added:
            writer = await healthy_theirs.writer("after")
            assert (await anext(added)).feed.key == writer.key
        assert len(ours.feeds()) == 1
        await left.close()
        await joined
