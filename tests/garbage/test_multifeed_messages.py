"""Any bytes in any of the four messages: documented errors only, at bounded cost (M21-M26)."""

from __future__ import annotations

import json
import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypermultifeed.errors import RemoteProtocolError
from hypermultifeed.replication import manifest
from hypermultifeed.replication.multifeed_sync import ManifestReceived, MultifeedSync

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = b"\xff" * 32
MIB = 1024 * 1024
names = st.sampled_from(manifest.EXTENSIONS)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["ab" * 32, "AB" * 32, "00" * 32, "MULTIFEED", "4.0.0"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["keys", "client", "version", "userData", "__proto__", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def feed(sync: MultifeedSync, name: str, payload: bytes) -> bool:
    """Give one message; whether the exchange goes on."""
    try:
        for event in sync.receive(name, payload):
            if isinstance(event, ManifestReceived):
                sync.request(event.keys)
    except RemoteProtocolError as error:
        str(error).encode("ascii")  # printable anywhere, whatever the peer sent
        return False
    for _name, answer in sync.messages_to_send():
        json.loads(answer)
    return True


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(names, st.binary(max_size=200)), max_size=5))
def test_any_bytes(messages: list[tuple[str, bytes]]) -> None:
    sync = MultifeedSync(ROOT)
    sync.start()
    for name, payload in messages:
        if not feed(sync, name, payload):
            break


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(names, json_values), max_size=5))
def test_any_json(messages: list[tuple[str, object]]) -> None:
    sync = MultifeedSync(ROOT)
    sync.start()
    for name, value in messages:
        if not feed(sync, name, json.dumps(value).encode()):
            break


BOMBS: dict[str, Callable[[], bytes]] = {
    "nested lists": lambda: b"[" * (2 * MIB),
    "nested lists, closed": lambda: b"[" * MIB + b"]" * MIB,
    "nested objects": lambda: b'{"keys":' * MIB,
    "nested in a hint": lambda: b'{"keys":[],"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "brackets in an open string": lambda: b'"' + b"[" * (2 * MIB),
    "escaped quotes without end": lambda: b"[" * 40 + b'\\"' * (2 * MIB),
    "many open strings": lambda: b"[" * 40 + b'"\\' * (2 * MIB),
    "million digits": lambda: b'{"keys":[' + b"9" * 1_000_000 + b"]}",
    "million digits in a list": lambda: b"[" + b"9" * 1_000_000 + b"]",
    "million digit fraction": lambda: b"[0." + b"9" * 1_000_000 + b"]",
    "million digit exponent": lambda: b"[1e" + b"9" * 1_000_000 + b"]",
    "large string": lambda: b'{"keys":["' + b"a" * (8 * MIB - 20) + b'"]}',
    "large hint": lambda: b'{"keys":[],"x":"' + b"a" * (8 * MIB - 20) + b'"}',
    "many small values": lambda: b"[" + b"0," * (4 * MIB - 2) + b"0]",
    "many small objects": lambda: b"[" + b"{}," * (2 * MIB) + b"{}]",
    "repeated members": lambda: b"{" + b'"keys":[],' * 200_000 + b'"keys":[]}',
    "not a number": lambda: b"[NaN]",
    "infinity": lambda: b"[Infinity,-Infinity]",
    "invalid UTF-8": lambda: b'["\xff\xfe"]',
    "byte order mark": lambda: b"\xef\xbb\xbf[]",
    "spaces": lambda: b" " * (8 * MIB),
    "empty": lambda: b"",
    "trailing": lambda: b"[] []",
    "too large for a frame": lambda: b" " * (8 * MIB) + b"[]",
}


@pytest.mark.parametrize("name", manifest.EXTENSIONS)
@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_end_the_exchange_and_nothing_else(name: str, bomb: str) -> None:
    sync = MultifeedSync(ROOT)
    sync.start()
    payload = BOMBS[bomb]()
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    # The work is bounded: no call per byte or per nested part.
    sys.setprofile(count)
    try:
        alive = feed(sync, name, payload)
    finally:
        sys.setprofile(None)
    assert not alive
    assert calls < 1000


def test_lone_surrogates_do_no_harm() -> None:
    sync = MultifeedSync(ROOT)
    sync.start()
    assert feed(sync, manifest.MANIFEST, b'{"keys":["\\ud800"],"x":"\\udfff"}')
    assert sync.skipped == 1
    assert not feed(sync, manifest.HANDSHAKE, b'{"client":"\\ud800","version":"4.0.0"}')


def test_million_offered_keys_that_nobody_wants_cost_nothing_lasting() -> None:
    """A flood in many messages: memory stays far under 64 MB (M23)."""
    sync = MultifeedSync(ROOT)
    sync.start()
    sync.receive(manifest.HANDSHAKE, manifest.encode_handshake())
    tracemalloc.start()
    try:
        for start in range(1_000, 1_001_000, 100_000):
            keys = [number.to_bytes(32, "big") for number in range(start, start + 100_000)]
            payload = manifest.encode_manifest(keys)
            del keys
            (event,) = sync.receive(manifest.MANIFEST, payload)
            assert isinstance(event, ManifestReceived)
            assert len(event.keys) == 100_000
            sync.request([])
            del event
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 10 * MIB
    assert peak < 64 * MIB
