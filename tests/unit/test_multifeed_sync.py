from __future__ import annotations

import json

import pytest

from hypermultifeed.errors import LocalProtocolError, RemoteProtocolError
from hypermultifeed.replication import manifest, multifeed_sync
from hypermultifeed.replication.multifeed_sync import (
    Event,
    FeedsGranted,
    FeedsRequested,
    HandshakeReceived,
    ManifestReceived,
    MultifeedSync,
)

ROOT = b"\xff" * 32
A, B, C, X = (bytes([number]) * 32 for number in (0xAA, 0xBB, 0xCC, 0xEE))
GREETING = b'{"client":"MULTIFEED","version":"4.0.0"}'


def greeted(*offers: bytes) -> MultifeedSync:
    """Return an exchange whose peer has greeted; what we sent so far is forgotten."""
    sync = MultifeedSync(ROOT)
    sync.offer(offers)
    sync.start()
    sync.receive(manifest.HANDSHAKE, GREETING)
    sync.messages_to_send()
    return sync


def run(left: MultifeedSync, right: MultifeedSync) -> tuple[list[Event], list[Event]]:
    """Carry messages both ways until there are none; every offered feed is wanted."""
    seen: tuple[list[Event], list[Event]] = ([], [])
    moving = True
    while moving:
        moving = False
        for number, (source, target) in enumerate(((left, right), (right, left))):
            for name, payload in source.messages_to_send():
                moving = True
                for event in target.receive(name, payload):
                    seen[1 - number].append(event)
                    if isinstance(event, ManifestReceived):
                        target.request(event.keys)
    return seen


def granted(events: list[Event]) -> list[bytes]:
    return [key for event in events if isinstance(event, FeedsGranted) for key in event.keys]


def requested(events: list[Event]) -> list[bytes]:
    return [key for event in events if isinstance(event, FeedsRequested) for key in event.keys]


def test_nothing_is_sent_before_both_ends_are_open() -> None:
    sync = MultifeedSync(ROOT)
    sync.offer([A])
    assert sync.messages_to_send() == []
    sync.start()
    sync.start()
    assert sync.messages_to_send() == [(manifest.HANDSHAKE, GREETING)]


def test_first_manifest_follows_the_handshake_even_when_empty() -> None:
    sync = MultifeedSync(ROOT)
    sync.start()
    sync.messages_to_send()
    events = sync.receive(manifest.HANDSHAKE, GREETING)
    assert events == [HandshakeReceived("4.0.0", None)]
    assert sync.messages_to_send() == [(manifest.MANIFEST, b'{"keys":[]}')]


def test_both_sides_end_with_the_union() -> None:
    left, right = MultifeedSync(ROOT), MultifeedSync(ROOT)
    left.offer([A, C])
    right.offer([B, C])
    left.start()
    right.start()
    at_left, at_right = run(left, right)
    assert granted(at_left) == [B, C]
    assert granted(at_right) == [A, C]
    assert requested(at_left) == [A, C]
    assert requested(at_right) == [B, C]
    assert left.settled
    assert right.settled


def test_two_empty_sides_settle_with_an_empty_grant() -> None:
    left, right = MultifeedSync(ROOT), MultifeedSync(ROOT)
    left.start()
    right.start()
    at_left, at_right = run(left, right)
    assert FeedsGranted([]) in at_left
    assert FeedsGranted([]) in at_right
    assert left.settled
    assert right.settled


def test_key_exchange_api() -> None:
    """Upstream: offer A, B, C; request A, C, X; both are told to replicate A and C only."""
    left, right = greeted(A, B, C), greeted()
    right.receive(manifest.MANIFEST, manifest.encode_manifest([A, B, C]))
    right.request([A, C, X])
    ((name, payload),) = right.messages_to_send()
    assert left.receive(name, payload) == [FeedsRequested([A, C])]
    ((name, payload),) = left.messages_to_send()
    assert json.loads(payload) == [A.hex(), C.hex()]
    assert right.receive(name, payload) == [FeedsGranted([A, C])]


def test_user_data_of_each_side_reach_the_other() -> None:
    left, right = MultifeedSync(ROOT, user_data={"n": 1}), MultifeedSync(ROOT, user_data="two")
    left.start()
    right.start()
    run(left, right)
    assert (left.remote_user_data, right.remote_user_data) == ("two", {"n": 1})


def test_later_feeds_are_offered_unless_the_peer_knows_them() -> None:
    sync = greeted(A)
    sync.receive(manifest.MANIFEST, manifest.encode_manifest([B]))
    sync.request([B])
    sync.messages_to_send()
    sync.offer([A, B])
    assert sync.messages_to_send() == []
    sync.offer([A, C, B])
    assert sync.messages_to_send() == [(manifest.MANIFEST, manifest.encode_manifest([C]))]
    assert not sync.settled


def test_large_sets_are_offered_in_several_manifests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multifeed_sync, "KEYS_PER_MANIFEST", 2)
    sync = MultifeedSync(ROOT)
    sync.offer([A, B, C])
    sync.start()
    sync.receive(manifest.HANDSHAKE, GREETING)
    sizes = [
        len(json.loads(payload)["keys"])
        for name, payload in sync.messages_to_send()
        if name == manifest.MANIFEST
    ]
    assert sizes == [2, 1]


def test_request_for_what_was_not_offered_looks_like_any_unknown_feed() -> None:
    sync = greeted(A)
    assert sync.receive(manifest.REQUEST_FEEDS, manifest.encode_keys([B, A, A])) == [
        FeedsRequested([A])
    ]
    assert sync.messages_to_send() == [(manifest.REPLICATE_FEEDS, manifest.encode_keys([A]))]
    assert sync.skipped == 2


def test_request_before_our_manifest_gets_an_empty_answer() -> None:
    sync = MultifeedSync(ROOT)
    sync.offer([A])
    sync.start()
    sync.messages_to_send()
    sync.receive(manifest.REQUEST_FEEDS, manifest.encode_keys([A]))
    assert sync.messages_to_send() == [(manifest.REPLICATE_FEEDS, b"[]")]


def test_grant_of_what_was_not_requested_is_left_out() -> None:
    sync = greeted()
    assert sync.receive(manifest.REPLICATE_FEEDS, manifest.encode_keys([A])) == [FeedsGranted([])]
    assert sync.skipped == 1


def test_grant_before_the_handshake_is_ignored() -> None:
    sync = MultifeedSync(ROOT)
    sync.start()
    sync.receive(manifest.MANIFEST, manifest.encode_manifest([A]))
    sync.request([A])
    assert sync.receive(manifest.REPLICATE_FEEDS, manifest.encode_keys([A])) == []
    assert sync.ignored == 1


def test_second_handshake_and_unknown_messages_are_ignored() -> None:
    sync = greeted(A)
    assert sync.receive(manifest.HANDSHAKE, GREETING) == []
    assert sync.receive("MULTIFEED_OTHER", b"\xff") == []
    assert sync.messages_to_send() == []
    assert sync.ignored == 2


def test_root_key_is_never_a_feed() -> None:
    sync = greeted()
    (event,) = sync.receive(manifest.MANIFEST, manifest.encode_manifest([ROOT, A]))
    assert event == ManifestReceived([A], {})
    assert sync.skipped == 1


def test_each_manifest_is_answered_once() -> None:
    sync = greeted()
    with pytest.raises(LocalProtocolError):
        sync.request([A])
    sync.receive(manifest.MANIFEST, manifest.encode_manifest([A]))
    sync.receive(manifest.MANIFEST, manifest.encode_manifest([B]))
    sync.request([A])
    sync.request([])
    with pytest.raises(LocalProtocolError):
        sync.request([])
    assert [payload for _name, payload in sync.messages_to_send()] == [
        manifest.encode_keys([A]),
        b"[]",
    ]


def test_quota_per_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multifeed_sync, "KEYS_PER_PEER_MAX", 2)
    sync = greeted()
    sync.receive(manifest.MANIFEST, manifest.encode_manifest([A, B, C]))
    sync.request([A, B, C])
    assert sync.messages_to_send() == [(manifest.REQUEST_FEEDS, manifest.encode_keys([A, B]))]
    assert sync.skipped == 1
    sync.receive(manifest.MANIFEST, manifest.encode_manifest([X, A]))
    sync.request([X, A])
    assert sync.messages_to_send() == [(manifest.REQUEST_FEEDS, manifest.encode_keys([A]))]


def test_undecided_offers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multifeed_sync, "KEYS_PENDING_MAX", 3)
    monkeypatch.setattr(multifeed_sync, "MANIFESTS_PENDING_MAX", 2)
    sync = greeted()
    two, three = manifest.encode_manifest([A, B]), manifest.encode_manifest([C, X])
    assert sync.receive(manifest.MANIFEST, two) == [ManifestReceived([A, B], {})]
    assert sync.receive(manifest.MANIFEST, three) == [ManifestReceived([C], {})]
    assert sync.receive(manifest.MANIFEST, two) == []
    assert sync.messages_to_send() == [(manifest.REQUEST_FEEDS, b"[]")]
    assert sync.skipped == 3
    assert not sync.settled


def test_malformed_messages_raise_the_remote_error_only() -> None:
    sync = greeted()
    for name in manifest.EXTENSIONS:
        with pytest.raises(RemoteProtocolError):
            greeted().receive(name, b"nope")
    assert sync.receive(manifest.MANIFEST, b"{}") == [ManifestReceived([], {})]
