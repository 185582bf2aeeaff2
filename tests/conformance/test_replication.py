"""Recorded sessions of two JavaScript peers, with one of them replaced by us (replication.json).

The keys and nonces of the replaced side are given, so our handshake must be byte for byte the
recorded one, and the other side's recorded bytes can be fed to us as they are. What we send is
compared by meaning, step by step: the order in which blocks are asked for and answered is free.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from hypermultifeed import crypto
from hypermultifeed.encoding.node import Node
from hypermultifeed.errors import CapabilityError
from hypermultifeed.feed.log import Log
from hypermultifeed.keys import KeyPair, NoiseKeyPair, discovery_key
from hypermultifeed.replication.channels import ChannelHandler, Session, SessionOwner
from hypermultifeed.replication.feed_sync import FeedSync, Observer
from hypermultifeed.storage import Write, memory
from hypermultifeed.wire.framing import encode_frame
from hypermultifeed.wire.messages import MessageType, decode, encode_data

VECTORS = Path(__file__).parents[1] / "vectors" / "replication.json"
TRANSCRIPTS: dict[str, Any] = {
    entry["name"]: entry for entry in json.loads(VECTORS.read_text("utf-8"))["transcripts"]
}
FEEDS = [name for name, entry in TRANSCRIPTS.items() if "after" in entry]
TYPES = {number: name.capitalize() for name, number in vars(MessageType).items() if name.isupper()}
WRITER, READER = "initiator", "responder"
PAIR = KeyPair.from_seed(bytes([1]) * 32)


# --- reading transcripts -----------------------------------------------------------------------


def segments(transcript: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """What was sent after each step, the first one being the beginning."""
    found: list[tuple[str, list[dict[str, Any]]]] = [("begin", [])]
    for frame in transcript["frames"]:
        if "step" in frame:
            found.append((frame["step"], []))
        elif "from" in frame:
            found[-1][1].append(frame)
    return found


def recorded(frame: dict[str, Any]) -> tuple[str, str]:
    """A recorded frame's type and content, comparable with `sent`."""
    decoded = frame["decoded"]
    content = decoded.get("message")
    if content is None:
        content = {"id": decoded["extensionId"], "payload": decoded["payload"]}
    return decoded["type"], json.dumps(content, sort_keys=True)


_CAMEL = {"discovery_key": "discoveryKey"}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list) and value and isinstance(value[0], Node):
        return [{"index": n.index, "hash": n.hash.hex(), "size": n.size} for n in value]
    return value


def sent(message_type: int, body: bytes) -> tuple[str, str]:
    message = decode(message_type, body)
    fields = message._asdict()  # type: ignore[union-attr]
    content = {_CAMEL.get(name, name): _plain(value) for name, value in fields.items()}
    return TYPES[message_type], json.dumps(content, sort_keys=True)


# --- our side ------------------------------------------------------------------------------------


class Ours(Observer):
    """One side of a recorded session."""

    def __init__(self, transcript: dict[str, Any], side: str) -> None:
        keys = transcript["handshake"].get(side) if transcript.get("handshake") else None
        options = transcript.get("options", {}).get(side, {})
        plain = {name: options[name] for name in ("noise", "encrypted") if name in options}
        self.live = bool(options.get("live"))
        self.session = Session(
            initiator=side == "initiator",
            key_pair=pair(keys, "static"),
            ephemeral_seed=bytes(32),
            ephemeral=pair(keys, "ephemeral"),
            nonce=bytes.fromhex(keys["payloadNonce"])
            if keys and "payloadNonce" in keys
            else bytes(24),
            now=0.0,
            live=self.live,
            **plain,
        )
        self.sent: list[tuple[str, str]] = []
        self.requests: list[Any] = []
        self.acks: list[tuple[int, int]] = []
        send = self.session.connection.send_frame

        def note(number: int, message_type: int, body: Any) -> None:
            whole = b"".join(body) if isinstance(body, list) else bytes(body)
            self.sent.append(sent(message_type, whole))
            if message_type == MessageType.REQUEST:
                self.requests.append(decode(message_type, whole))
            send(number, message_type, body)

        self.session.connection.send_frame = note  # type: ignore[method-assign, assignment]

    def on_ack(self, peer: Any, start: int, length: int) -> None:
        self.acks.append((start, length))

    def feed(self, log: Log, *, whole: bool = True, **options: Any) -> None:
        self.log = log
        self.sync = FeedSync(log, whole=whole, observer=self, randbelow=random.Random(0).randrange)
        self.options = {"download": not log.writable, "live": self.live, **options}

    def open(self) -> None:
        self.session.open(PAIR.public_key, self.sync.peer(**self.options))

    def receive(self, wire: str) -> None:
        self.session.receive_data(bytes.fromhex(wire), 0.0)

    def taken(self) -> list[tuple[str, str]]:
        """What we sent since the last call."""
        self.session.data_to_send()
        found, self.sent = self.sent, []
        return found


def pair(keys: dict[str, str] | None, kind: str) -> NoiseKeyPair:
    if keys is None or f"{kind}SecretKey" not in keys:
        return NoiseKeyPair.from_seed(bytes(32))
    return NoiseKeyPair(
        bytes.fromhex(keys[f"{kind}PublicKey"]), bytes.fromhex(keys[f"{kind}SecretKey"])
    )


def shake_hands(ours: Ours, side: str, frames: list[dict[str, Any]]) -> None:
    """Replay the handshake; ours must be the recorded one."""
    expected = "".join(f["wire"] for f in frames if f.get("handshake") and f["from"] == side)
    got = bytes(ours.session.data_to_send())
    for frame in frames:
        if frame.get("handshake") and frame["from"] != side:
            ours.receive(frame["wire"])
            got += bytes(ours.session.connection.data_to_send())
    assert got.hex()[: len(expected)] == expected
    assert ours.session.handshake_complete


def writer_log(name: str) -> Log:
    count = {"sparse": 17, "live-40": 40, "empty-then-append": 0, "nonlive-empty": 0}.get(name)
    if count is None:
        count = 5 if name in {"live-5", "nonlive-5"} else 3
        count = 1 if "no-noise" in name or "noise-without" in name else count
    factory = memory()
    storage = factory("relaxed")
    log = Log.open(storage, key_pair=PAIR)
    log.append([b"block-%d" % index for index in range(count)])
    if name != "legacy-signature-feed":
        return log
    tree_hash = crypto.tree_hash(log.root_hashes(count - 1))
    legacy = crypto.sign(tree_hash, PAIR.secret_key)
    storage.commit([Write("signatures", 32 + 64 * (count - 1), legacy)])
    return Log.open(storage)


# --- we are the writer ---------------------------------------------------------------------------


def act_as_writer(ours: Ours, step: str) -> None:
    log, sync = ours.log, ours.sync
    if "append block" in step:
        values = [text.strip().encode() for text in step.split("append ")[1].split(",")]
        sync.appended(log.append(values), len(values), 0.0)
    elif "flush()" in step:
        sync.appended(log.append([]), 0, 0.0)
    elif "initiator: clear(1, 3)" in step:
        log.clear(1, 3)
        sync.cleared(1, 3, 0.0)
    elif "initiator: broadcast" in step:
        zeta = sync.extensions.get("zeta")
        assert zeta is not None
        zeta.broadcast({"hi": 1})
    elif "initiator: setUploading" in step:
        sync.set_uploading("true" in step)
    else:
        assert step.startswith("responder") or step == "begin"


@pytest.mark.parametrize("name", FEEDS)
def test_we_write_and_javascript_reads(name: str) -> None:
    transcript = TRANSCRIPTS[name]
    ours = Ours(transcript, WRITER)
    ours.feed(writer_log(name), ack=transcript["options"][WRITER].get("ack", False))
    if name == "ack-extension":
        for extension in ("zeta", "alpha"):
            ours.sync.extensions.add(extension, encoding="json")
    parts = segments(transcript)
    if transcript["handshake"]:
        shake_hands(ours, WRITER, parts[0][1])
    ours.open()
    for step, frames in parts:
        act_as_writer(ours, step)
        if "flush()" in step:
            assert ours.taken() == []  # JavaScript announces a block that does not exist
            break
        for frame in frames:
            if frame["from"] == READER and "decoded" in frame:
                ours.receive(frame["wire"])
        expected = [recorded(f) for f in frames if f["from"] == WRITER and "decoded" in f]
        assert sorted(ours.taken()) == sorted(expected)
    after = transcript["after"][WRITER]
    assert (ours.log.length, ours.log.byte_length) == (after["length"], after["byteLength"])
    assert ours.log.count() == after["downloaded"]
    assert ours.session.ended is any(frame.get("end") for frame in transcript["frames"])
    if name == "ack-extension":
        assert sorted(ours.acks) == [(0, 1), (1, 1), (2, 1)]


# --- we are the reader ---------------------------------------------------------------------------


class Recording:
    """The writer's recorded answers; what was not recorded is made up by a log of ours."""

    def __init__(self, frames: list[dict[str, Any]], log: Log) -> None:
        self.data: dict[int, str] = {}
        self.digests: dict[int, int] = defaultdict(int)
        self.log = log
        for frame in frames:
            if "decoded" not in frame:
                continue
            message = frame["decoded"].get("message")
            if frame["decoded"]["type"] == "Data":
                self.data[message["index"]] = frame["plain"]
            elif frame["decoded"]["type"] == "Request":
                self.digests[message["index"]] |= message["nodes"]

    def answer(self, request: Any) -> bytes:
        index = request.index
        if request.bytes:
            index = self.log.seek(request.bytes)[0]
        if index in self.data and self.digests[index] in (0, request.nodes):
            return bytes.fromhex(self.data[index])
        proof = self.log.proof(index, digest=request.nodes, hash=request.hash)
        value = None if request.hash else self.log.get(index)
        return encode_frame(1, MessageType.DATA, encode_data(index, value, *proof))


def act_as_reader(ours: Ours, step: str) -> None:
    sync = ours.sync

    def done(error: Exception | None) -> None:
        assert error is None

    if "responder: update()" in step:
        sync.grow(ours.log.length + 1, 0.0, done)
    elif "responder: get " in step:
        sync.get(int(step.rsplit(" ", 1)[1]), 0.0, done)
    elif "responder: seek " in step:
        sync.seek(int(step.rsplit(" ", 1)[1]), 0.0, done)
    elif "blocks:[9,11]" in step:
        sync.download(9, 10, 0.0, done)
        sync.download(11, 12, 0.0, done)
    elif "responder: clear(0, 2)" in step:
        ours.log.clear(0, 2)
        sync.cleared(0, 2, 0.0)
    elif "responder: broadcast" in step:
        zeta = sync.extensions.get("zeta")
        assert zeta is not None
        zeta.broadcast({"yo": 2})
    elif "registerExtension beta" in step:
        sync.extensions.add("beta")
    elif "responder: setDownloading" in step:
        sync.set_downloading(0.0, downloading=True)
    else:
        assert step.startswith("initiator") or step == "begin"


def essence(message: tuple[str, str]) -> tuple[str, str]:
    """A request without what depends on the order in which blocks are asked for."""
    kind, content = message
    if kind != "Request":
        return message
    fields = json.loads(content)
    if fields["bytes"]:
        return kind, f"byte {fields['bytes']}"
    return kind, f"{fields['index']} {fields['hash']}"


class Cipher:
    """Encrypts as the recorded writer would, what it did not send in this order."""

    def __init__(self, transcript: dict[str, Any]) -> None:
        keys = transcript["handshake"].get(WRITER) if transcript["handshake"] else None
        self.stream = None
        if keys and transcript["options"][WRITER].get("encrypted") is not False:
            tx, nonce = (bytes.fromhex(keys[name]) for name in ("splitTx", "payloadNonce"))
            self.stream = crypto.XSalsa20(tx, nonce)

    def encrypt(self, plain: bytes) -> str:
        return (plain if self.stream is None else bytes(self.stream.process(plain))).hex()


@pytest.mark.parametrize("name", FEEDS)
def test_we_read_and_javascript_writes(name: str) -> None:
    transcript = TRANSCRIPTS[name]
    ours = Ours(transcript, READER)
    log = Log.open(memory()("relaxed"), key=PAIR.public_key)
    download = name != "status"
    ours.feed(log, whole=name != "sparse", download=download)
    if name == "ack-extension":
        ours.sync.extensions.add("zeta", encoding="json")
    parts = segments(transcript)
    if transcript["handshake"]:
        shake_hands(ours, READER, parts[0][1])
    ours.open()
    source = writer_log(name)
    cipher = Cipher(transcript)
    for step, frames in parts:
        if "hash:true" in step:
            continue  # ranges of hashes are not something we ask for
        if "append block" in step:
            source.append([text.strip().encode() for text in step.split("append ")[1].split(",")])
        if "flush()" in step:
            break
        act_as_reader(ours, step)
        recording = Recording(frames, source)
        for frame in frames:
            answer_all(ours, recording, cipher)
            if (
                frame["from"] == WRITER
                and "decoded" in frame
                and frame["decoded"]["type"] != "Data"
            ):
                ours.receive(cipher.encrypt(bytes.fromhex(frame["plain"])))
        answer_all(ours, recording, cipher)
        expected = [recorded(f) for f in frames if f["from"] == READER and "decoded" in f]
        got = [essence(message) for message in ours.taken()]
        assert sorted(set(got)) == sorted({essence(message) for message in expected})
        assert len(got) == len(set(got))  # nothing twice
    after = transcript["after"][READER]
    assert (log.length, log.byte_length) == (after["length"], after["byteLength"])
    assert log.count() == after["downloaded"]
    assert ours.session.ended is any(frame.get("end") for frame in transcript["frames"])


def answer_all(ours: Ours, recording: Recording, cipher: Cipher) -> None:
    while ours.requests:
        ours.receive(cipher.encrypt(recording.answer(ours.requests.pop(0))))


# --- channels ------------------------------------------------------------------------------------


class Owner(SessionOwner):
    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def on_remote_open(self, discovery_key: bytes) -> bool:
        self.asked.append(discovery_key)
        return True


class Closing(ChannelHandler):
    def __init__(self) -> None:
        self.opened = False
        self.closed_with: list[Exception | None] = []

    def on_open(self) -> None:
        self.opened = True

    def on_close(self, error: Exception | None) -> None:
        self.closed_with.append(error)


def replay(ours: Ours, side: str, frames: list[dict[str, Any]]) -> None:
    for frame in frames:
        if frame["from"] != side and "decoded" in frame:
            ours.receive(frame["wire"])


def channel_key(number: int) -> bytes:
    return KeyPair.from_seed(bytes([number]) * 32).public_key


@pytest.mark.parametrize("side", ["initiator", "responder"])
def test_channel_numbers(side: str) -> None:
    transcript = TRANSCRIPTS["channel-numbers"]
    opened = {
        frame["decoded"]["message"]["discoveryKey"]
        for frame in transcript["frames"]
        if frame.get("decoded", {}).get("type") == "Open"
    }
    keys = {
        discovery_key(key).hex(): key
        for key in (channel_key(number) for number in range(1, 10))
        if discovery_key(key).hex() in opened
    }
    assert len(keys) == len(opened)
    ours = Ours(transcript, side)
    ours.session.attach(Owner())
    parts = segments(transcript)
    shake_hands(ours, side, parts[0][1])
    for step, frames in parts:
        if step == f"{side}: close channel of key 1":
            channel = ours.session.channel(discovery_key(PAIR.public_key))
            assert channel is not None
            channel.close()
        for frame in frames:
            message = frame.get("decoded", {}).get("message") or {}
            if frame.get("handshake"):
                continue
            if frame["from"] != side:
                ours.receive(frame["wire"])
            elif frame["decoded"]["type"] == "Open":
                ours.session.open(keys[message["discoveryKey"]], Closing())
            elif message.get("discoveryKey"):
                ours.session.refuse(bytes.fromhex(message["discoveryKey"]))
    mine = [f for _, part in parts for f in part if f["from"] == side and "plain" in f]
    expected = [recorded(frame) for frame in mine]
    assert ours.taken() == expected
    channels = transcript[f"channels{side.capitalize()}"]
    found = {c.discovery_key.hex(): (c.local_id, c.remote_id) for c in ours.session.channels}
    assert found == {c["discoveryKey"]: (c["localId"], c["remoteId"]) for c in channels}


def test_a_bad_capability_for_a_channel_we_opened() -> None:
    transcript = TRANSCRIPTS["bad-capability"]
    ours = Ours(transcript, "initiator")
    parts = segments(transcript)
    shake_hands(ours, "initiator", parts[0][1])
    ours.session.open(PAIR.public_key, Closing())
    assert ours.taken() == [
        recorded(f) for f in parts[0][1] if f["from"] == "initiator" and "decoded" in f
    ]
    with pytest.raises(CapabilityError):
        replay(ours, "initiator", parts[1][1])


def test_a_bad_capability_before_we_open() -> None:
    transcript = TRANSCRIPTS["bad-capability-unopened"]
    ours = Ours(transcript, "initiator")
    owner, handler = Owner(), Closing()
    ours.session.attach(owner)
    parts = segments(transcript)
    shake_hands(ours, "initiator", parts[0][1])
    replay(ours, "initiator", parts[0][1])
    assert owner.asked == [discovery_key(PAIR.public_key)]
    assert ours.session.remote_opened(owner.asked[0]) is transcript["remoteOpened"]
    # hypercore 9 closes such a channel instead of opening it; its protocol layer alone opens it.
    ours.session.open(PAIR.public_key, handler)
    assert [kind for kind, _ in ours.taken()] == ["Close"]
    assert isinstance(handler.closed_with[0], CapabilityError)
    assert not handler.opened


@pytest.mark.parametrize("side", ["initiator", "responder"])
def test_extensions_of_the_stream(side: str) -> None:
    transcript = TRANSCRIPTS["stream-extension"]
    ours = Ours(transcript, side)
    got: list[Any] = []
    parts = segments(transcript)
    shake_hands(ours, side, parts[0][1])
    x = ours.session.register_extension(
        "x", encoding="json", on_message=lambda message, _: got.append(message)
    )
    values = iter((1, 2, 3))
    for step, frames in parts:
        if side == "initiator" and step == "initiator: send":
            x.broadcast({"a": next(values)})
            x.broadcast({"a": next(values)})
        elif side == "initiator" and step.startswith("initiator: registered a"):
            ours.session.register_extension("a")
            x.broadcast({"a": next(values)})
        replay(ours, side, frames)
        expected = [recorded(f) for f in frames if f["from"] == side and "decoded" in f]
        assert ours.taken() == expected
    if side == "responder":
        assert got == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_an_unknown_core_is_refused_by_discovery_key() -> None:
    transcript = TRANSCRIPTS["corestore-unknown"]
    parts = segments(transcript)
    frames = [frame for _, part in parts for frame in part]
    refusing = Ours(transcript, "responder")
    refusing.session.attach(SessionOwner())
    shake_hands(refusing, "responder", frames)
    replay(refusing, "responder", frames)
    assert refusing.taken() == [
        recorded(f) for f in frames if f["from"] == "responder" and "decoded" in f
    ]
    assert refusing.session.ended

    refused = Ours(transcript, "initiator")
    handler = Closing()
    shake_hands(refused, "initiator", frames)
    refused.session.open(PAIR.public_key, handler)
    replay(refused, "initiator", frames)
    assert refused.taken() == [
        recorded(f) for f in frames if f["from"] == "initiator" and "decoded" in f
    ]
    assert handler.closed_with == [None]
    assert refused.session.ended


def test_every_transcript_is_used() -> None:
    others = {
        "channel-numbers",
        "bad-capability",
        "bad-capability-unopened",
        "stream-extension",
        "corestore-unknown",
    }
    assert set(TRANSCRIPTS) == others | set(FEEDS)
    assert len(TRANSCRIPTS) == 16
