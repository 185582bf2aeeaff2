"""The exchange of feed lists against transcripts of the original: the same meaning in answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hypermultifeed.errors import (
    ClientMismatchError,
    RemoteProtocolError,
    VersionMismatchError,
)
from hypermultifeed.keys import DEFAULT_KEY
from hypermultifeed.replication import manifest
from hypermultifeed.replication.multifeed_sync import ManifestReceived, MultifeedSync

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "multifeed.json").read_text())
TRANSCRIPTS: dict[str, Any] = {entry["name"]: entry for entry in VECTORS["transcripts"]}
ROBUSTNESS: dict[str, Any] = {entry["name"]: entry for entry in VECTORS["robustness"]}
SIDES = ("initiator", "responder")
OWN_FEED = "85e72ba205b77c8d3b944f93fe8c58e6fdcb8a5e113f6da03fdc336d871b9f0c"

ENDS_WITH = {
    "handshake-version-3": VersionMismatchError,
    "handshake-wrong-client": ClientMismatchError,
    "handshake-both-wrong": VersionMismatchError,
    "handshake-bad-json": RemoteProtocolError,
}


def root_key(transcript: Any, side: str) -> bytes:
    named = transcript["rootKey"]
    if named == "default":
        return DEFAULT_KEY
    if len(named) == 64:
        return bytes.fromhex(named)
    return bytes([7 if side == "initiator" else 8]) * 32


def root_messages(transcript: Any, *sides: str) -> list[tuple[str, str, str]]:
    """(side, name, text) of the extension messages on the root key's channel (each's first)."""
    return [
        (
            frame["from"],
            manifest.EXTENSIONS[frame["decoded"]["extensionId"]],
            frame["decoded"]["payloadText"],
        )
        for frame in transcript["frames"]
        if frame.get("from") in sides
        and frame.get("decoded", {}).get("extensionId") is not None
        and frame["decoded"]["channel"] == 1
    ]


def keys_of(manifest_text: str) -> list[bytes]:
    return [bytes.fromhex(key) for key in json.loads(manifest_text)["keys"]]


def answer(sync: MultifeedSync, name: str, text: str) -> None:
    for event in sync.receive(name, text.encode()):
        if isinstance(event, ManifestReceived):
            sync.request(event.keys)


def meaning(messages: list[tuple[str, str]]) -> dict[str, list[Any]]:
    """Messages by kind, each kind in its order; the order between kinds is a matter of timing."""
    found: dict[str, list[Any]] = {name: [] for name in manifest.EXTENSIONS}
    for name, text in messages:
        found[name].append(json.loads(text))
    return found


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", sorted(set(TRANSCRIPTS) - set(ENDS_WITH) - {"late-open"}))
def test_transcript_is_answered_with_equal_meaning(name: str, side: str) -> None:
    transcript = TRANSCRIPTS[name]
    if side not in transcript["feedsAfter"]:
        side = SIDES[1 - SIDES.index(side)]  # the other one was a bare protocol stream
    mine = [(kind, text) for _, kind, text in root_messages(transcript, side)]
    user_data = json.loads(mine[0][1]).get("userData") if mine else None
    sync = MultifeedSync(root_key(transcript, side), user_data=user_data)
    sent: list[tuple[str, str]] = []
    manifests = 0
    first = next((text for kind, text in mine if kind == manifest.MANIFEST), '{"keys":[]}')
    sync.offer(keys_of(first))
    if mine:
        sync.start()
    for source, kind, text in root_messages(transcript, *SIDES):
        if source != side:
            answer(sync, kind, text)
        elif kind == manifest.MANIFEST:
            manifests += 1
            if manifests > 1:  # a feed was added here
                sync.offer(keys_of(text))
        sent += [(kind, payload.decode()) for kind, payload in sync.messages_to_send()]
    expected = meaning(mine)
    if name == "foreign-request":
        # Ours offers in the same step as it takes the handshake, JS one tick later; so here the
        # request for the feed that JS offers afterwards comes in time.
        expected[manifest.REPLICATE_FEEDS] = [[OWN_FEED]]
    assert meaning(sent) == expected


@pytest.mark.parametrize("name", ENDS_WITH)
def test_foreign_handshakes_end_with_the_documented_codes(name: str) -> None:
    transcript = TRANSCRIPTS[name]
    (_, _, text) = root_messages(transcript, "responder")[0]
    (reported,) = {
        (event.get("code"), event.get("themVersion"), event.get("themClient"))
        for event in transcript["frames"]
        if event.get("event") == "error"
    }
    sync = MultifeedSync(DEFAULT_KEY)
    sync.start()
    with pytest.raises(ENDS_WITH[name]) as caught:
        sync.receive(manifest.HANDSHAKE, text.encode())
    if reported[0] is not None:
        ours = (
            getattr(caught.value, "code", None),
            getattr(caught.value, "them_version", None),
            getattr(caught.value, "them_client", None),
        )
        assert ours == reported


def test_late_open_the_side_that_was_first_talks_as_ever() -> None:
    """In the transcript the late side never starts; with us it does, whoever opened first."""
    transcript = TRANSCRIPTS["late-open"]
    mine = root_messages(transcript, "initiator")
    assert root_messages(transcript, "responder") == []
    late = MultifeedSync(DEFAULT_KEY)
    late.start()
    for _, kind, text in mine:
        answer(late, kind, text)
    kinds = [kind for kind, _ in late.messages_to_send()]
    assert kinds == [manifest.HANDSHAKE, manifest.MANIFEST]


@pytest.mark.parametrize("name", ROBUSTNESS)
def test_messages_that_throw_in_the_original_do_not_harm_us(name: str) -> None:
    case = ROBUSTNESS[name]
    sync = MultifeedSync(DEFAULT_KEY)
    sync.offer([bytes.fromhex(OWN_FEED)])
    sync.start()
    ended = False
    for number, text in case["sent"]:
        kind = manifest.EXTENSIONS[number] if number < 4 else "UNKNOWN"
        try:
            answer(sync, kind, text)
        except RemoteProtocolError:
            ended = True
            break
    sent = meaning([(kind, payload.decode()) for kind, payload in sync.messages_to_send()])
    assert sent[manifest.HANDSHAKE] == [{"client": "MULTIFEED", "version": "4.0.0"}]
    malformed = ("null", "bad-json", "not-array", "without-version")
    assert ended == (name.endswith(malformed) and name != "manifest-keys-with-null")
    if not name.startswith("handshake") or name == "handshake-twice":
        assert sent[manifest.MANIFEST] == [{"keys": [OWN_FEED]}]
    assert all(keys == [] for keys in sent[manifest.REQUEST_FEEDS])
