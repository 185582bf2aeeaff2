"""One peer: switches, claims, and the end of what is not live."""

from __future__ import annotations

import pytest

from hypermultifeed.errors import (
    RemoteProtocolError,
)
from hypermultifeed.replication import feed_peer, wants
from hypermultifeed.wire.messages import (
    MessageType,
    encode_extension,
    encode_have,
    encode_options,
    encode_status,
)

from .exchange import HAVE, PAIR, STATUS, Script, Side, Wire, blocks, connect, fetch, join, scripted


@pytest.mark.parametrize("ours", [[], [0, 1], [9], list(range(10))])
@pytest.mark.parametrize("theirs", [[], [0, 1], [5], list(range(10))])
def test_two_partial_readers_exchange_what_they_have_and_end(
    ours: list[int], theirs: list[int]
) -> None:
    writer, a, b = Side(blocks(10)), Side(), Side()
    fetch(a, writer, ours)
    fetch(b, writer, theirs)
    wire = connect(a, b, live=False)
    assert a.stored() == b.stored() == {*ours, *theirs}
    assert wire.a.ended
    assert wire.b.ended


def test_a_live_replication_after_one_that_was_not_downloads() -> None:
    writer, reader = Side(blocks(3)), Side()
    connect(writer, reader, live=False)
    writer.append(b"more")
    connect(writer, reader, live=True)
    assert reader.stored() == set(range(4))


def test_a_sparse_reader_that_is_not_live_ends_after_a_moment_without_demands() -> None:
    writer, reader = Side(blocks(5)), Side(whole=False)
    wire = connect(writer, reader, live=False)
    assert not wire.b.ended
    reader.sync.get(2, 0.5, reader.waits)
    wire.pump(0.5)
    assert reader.done == [None]
    wire.timers(1.2)
    wire.pump()
    assert not wire.b.ended
    wire.timers(2.0)
    wire.pump()
    assert wire.a.ended
    assert wire.b.ended


def unfinished(ours: Side) -> tuple[Wire, Script]:
    """A replication that is not live with a peer that never says it wants nothing more."""
    script = Script()
    wire = Wire(live=False)
    join(ours, wire.a, live=False)
    wire.b.open(PAIR.public_key, script)
    wire.pump()
    return wire, script


def test_a_peer_that_wants_for_ever_and_asks_for_nothing_is_left() -> None:
    """A JavaScript reader facing a partial one never ends by itself."""
    writer, reader = Side(blocks(5)), Side()
    fetch(reader, writer, [0])
    wire, script = unfinished(reader)
    script.send(HAVE, encode_have(0, wants.WANT_LENGTH, b""))
    wire.pump()
    assert [s.downloading for s in script.all("status")] == [False]
    wire.timers(feed_peer.IDLE_END_S)
    wire.pump()
    assert not wire.a.ended
    wire.timers(feed_peer.ABANDONED_END_S)
    wire.pump()
    assert wire.a.ended


def test_a_peer_that_has_all_we_have_is_left_after_a_moment() -> None:
    """One that is live, such as a server, never says that it wants nothing more."""
    writer = Side(blocks(5))
    wire, script = unfinished(writer)
    assert not script.all("want")
    wire.timers(feed_peer.IDLE_END_S)
    wire.pump()
    assert len(script.all("want")) == 1
    assert not wire.a.ended
    script.send(HAVE, encode_have(0, wants.WANT_LENGTH, bytes.fromhex("02f8")))
    wire.pump()
    assert wire.a.ended


def test_switches_are_told_and_kept() -> None:
    writer, reader = Side(blocks(5)), Side()
    reader.sync.set_downloading(0.0, downloading=False)
    wire = connect(writer, reader, theirs={"download": False})
    assert reader.stored() == set()
    reader.sync.set_downloading(0.0, downloading=True)
    wire.pump()
    assert reader.stored() == set(range(5))
    writer.sync.set_uploading(False)
    writer.append(b"later")
    wire.pump()
    assert reader.log.length == 5
    writer.sync.set_uploading(True)
    wire.pump()
    assert reader.log.length == 6


def test_a_status_that_ends_uploading_releases_what_was_asked() -> None:
    writer, reader = Side(blocks(50)), Side()
    script = Script(writer)
    script.quiet = True
    wire = scripted(reader, script)
    assert reader.sync.requested
    script.send(STATUS, encode_status(uploading=False, downloading=True))
    wire.pump()
    assert not reader.sync.requested
    before = len(script.all("want"))
    script.send(STATUS, encode_status(uploading=True, downloading=True))
    wire.pump()
    assert len(script.all("want")) == 2 * before
    assert len(script.requests) == 2


def test_a_bitfield_that_unpacks_to_too_much_ends_the_stream() -> None:
    reader, script = Side(), Script()
    wire = scripted(reader, script)
    script.send(HAVE, encode_have(0, wants.WANT_LENGTH, bytes.fromhex("ffffffff0f")))
    with pytest.raises(RemoteProtocolError, match="bitfield"):
        wire.pump()


def test_unknown_extension_numbers_and_options_are_harmless() -> None:
    reader, script = Side(), Script()
    wire = scripted(reader, script)
    script.send(MessageType.EXTENSION, encode_extension(10**9, b"?"))
    script.send(MessageType.OPTIONS, encode_options(["x"] * 500, ack=True))
    wire.pump()
    assert reader.sync.peers[0].opened


def test_a_peer_is_asked_what_it_has_once_it_was_sent_something() -> None:
    writer, reader = Side(blocks(10)), Side()
    wire = connect(writer, reader, ours={"download": True})
    (peer,) = writer.sync.peers
    assert reader.stored() == set(range(10))
    assert not writer.log.is_covered_by(peer.remote)  # nobody tells where a block came from
    peer.inquire(0.0)
    wire.pump()
    assert writer.log.is_covered_by(peer.remote)


def test_a_peer_that_was_sent_nothing_new_is_not_asked_again() -> None:
    side, script = Side(blocks(3)), Script(Side())
    wire = scripted(side, script, download=True)
    (peer,) = side.sync.peers
    asked = len(script.all("want"))
    for sent in (0, 1, 1):
        peer.stats.uploaded_blocks = sent
        peer.inquire(0.0)
        wire.pump()
    assert len(script.all("want")) == asked + 1
