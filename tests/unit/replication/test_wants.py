"""What a peer is asked about, and what its claims cost."""

from __future__ import annotations

from hypermultifeed.replication import wants
from hypermultifeed.wire.messages import (
    encode_have,
    encode_unhave,
)

from .exchange import HAVE, UNHAVE, Script, Side, scripted


def test_wants_cover_what_the_peer_has_and_only_once() -> None:
    reader, script = Side(), Script()
    wire = scripted(reader, script)
    million = wants.WANT_LENGTH
    script.send(HAVE, encode_have(5 * million))
    wire.pump()
    starts = [want.start for want in script.all("want")]
    assert starts == [number * million for number in range(6)]
    script.send(HAVE, encode_have(5 * million + 1))
    wire.pump()
    assert len(script.all("want")) == 6


def test_if_available_waits_for_peers_that_have_not_told_yet() -> None:
    reader, script = Side(whole=False), Script()
    wire = scripted(reader, script)
    reader.sync.get(0, 0.0, reader.waits, if_available=True)
    wire.pump()
    assert reader.done == []
    script.send(HAVE, encode_have(0, wants.WANT_LENGTH, b""))
    wire.pump()
    assert len(reader.done) == 1


def test_huge_claims_cost_nothing() -> None:
    reader, script = Side(), Script()
    wire = scripted(reader, script)
    script.quiet = True
    for start, length in ((0, 10**12), (2**53 - 10, 9), (2**40, 2**52)):
        script.send(HAVE, encode_have(start, length))
        script.send(UNHAVE, encode_unhave(start + 5, length))
        wire.pump()
    assert len(script.all("want")) == wants.MAX_WANTS_PENDING
    assert len(script.requests) == 1


def test_asking_again_covers_what_was_asked_before() -> None:
    reader, script = Side(), Script()
    wire = scripted(reader, script)
    script.send(HAVE, encode_have(2 * wants.WANT_LENGTH))
    wire.pump()
    starts = {want.start for want in script.all("want")}
    (peer,) = reader.sync.peers
    script.got.clear()
    peer._wants.ask_again(0.0)
    wire.pump()
    assert {want.start for want in script.all("want")} == starts
