"""Extensions of one scope."""

from __future__ import annotations

from typing import Any

import pytest

from hypermultifeed.replication.extensions import (
    MAX_REMOTE_EXTENSIONS,
    Extension,
    ExtensionRegistry,
    RemoteExtensions,
)


class Peer:
    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []

    def send_extension(self, extension: Extension, payload: bytes) -> None:
        self.sent.append((extension.name, payload))


def test_numbers_follow_the_sorted_names_also_after_a_removal() -> None:
    registry = ExtensionRegistry()
    b, a, c = registry.add("b"), registry.add("a"), registry.add("c")
    assert (a.id, b.id, c.id) == (0, 1, 2)
    a.destroy()
    a.destroy()
    assert (a.id, b.id, c.id) == (-1, 0, 1)
    assert registry.names() == ["b", "c"]
    assert len(registry) == 2


def test_a_taken_name_is_refused() -> None:
    registry = ExtensionRegistry()
    registry.add("a")
    with pytest.raises(ValueError, match="'a'"):
        registry.add("a")


def test_changes_are_told() -> None:
    seen: list[list[str]] = []
    registry = ExtensionRegistry(on_change=lambda: seen.append(registry.names()))
    registry.add("b").destroy()
    assert seen == [["b"], []]
    assert registry.version == 2


def test_json_messages_have_no_newline() -> None:
    registry, peer = ExtensionRegistry(), Peer()
    registry.add("j", encoding="json").send({"a": 1}, peer)
    assert peer.sent == [("j", b'{"a":1}')]


def test_broadcast_goes_to_every_peer_of_the_scope() -> None:
    peers = [Peer(), Peer()]
    registry = ExtensionRegistry(peers=lambda: peers)
    assert registry.add("b").broadcast(b"hi") == 2
    assert [peer.sent for peer in peers] == [[("b", b"hi")]] * 2


@pytest.mark.parametrize("payload", [b"{", b"\xff", b"[" * 100_000])
def test_what_cannot_be_decoded_goes_to_on_error(payload: bytes) -> None:
    got: list[Any] = []
    errors: list[tuple[str, object]] = []
    registry = ExtensionRegistry()
    registry.add(
        "j",
        encoding="json",
        on_message=lambda message, _: got.append(message),
        on_error=lambda error, peer: errors.append((type(error).__name__, peer)),
    )
    remote = RemoteExtensions(registry)
    remote.update(["j"])
    assert remote.deliver(0, payload, "peer")
    assert not got
    assert [peer for _, peer in errors] == ["peer"]


def test_support_is_what_the_peer_told_last() -> None:
    registry = ExtensionRegistry()
    extension = registry.add("a")
    remote = RemoteExtensions(registry)
    assert not remote.supports(extension)
    remote.update(["a"])
    assert remote.supports(extension)
    remote.update([])
    assert not remote.supports(extension)


def test_long_lists_are_cut() -> None:
    registry = ExtensionRegistry()
    registry.add("last", on_message=lambda message, _: None)
    remote = RemoteExtensions(registry)
    remote.update([*map(str, range(MAX_REMOTE_EXTENSIONS)), "last"])
    assert not remote.deliver(MAX_REMOTE_EXTENSIONS, b"", None)
