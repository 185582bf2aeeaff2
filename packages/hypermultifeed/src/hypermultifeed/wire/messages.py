"""The messages of hypercore-protocol 8: types, encoders and decoders of their bodies.

Each message is a NamedTuple; ``encode_<name>(*message)`` writes its body, leaving out what is
None, and ``decode_<name>(body)`` reads it. Data, Request and Have are on the hot path: for them
the usual form is read by straight-line code, which hands over to the general decoder at anything
unusual (fields in another order, unknown ones, malformed ones).

Stricter than JS, which keeps what it misread: nothing may reach beyond the end of a body, no
number may be above 2**53 - 1, a node's hash has 32 bytes, and lists are bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from hypermultifeed.encoding import protobuf, varint
from hypermultifeed.encoding.node import Node
from hypermultifeed.encoding.protobuf import Fields, Kind
from hypermultifeed.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HASH_BYTES: Final = 32
NODES_MAX: Final = 256
"""Most nodes in one Data message. A proof has at most one node and one root a tree level."""


class MessageType:
    """Type numbers, the low four bits of a frame's header. 11 to 14 are unused and ignored."""

    OPEN: Final = 0
    OPTIONS: Final = 1
    STATUS: Final = 2
    HAVE: Final = 3
    UNHAVE: Final = 4
    WANT: Final = 5
    UNWANT: Final = 6
    REQUEST: Final = 7
    CANCEL: Final = 8
    DATA: Final = 9
    CLOSE: Final = 10
    EXTENSION: Final = 15


class Open(NamedTuple):
    """A channel is opened: 32 byte discovery key, and proof of knowing the key behind it."""

    discovery_key: bytes
    capability: bytes | None = None


class Options(NamedTuple):
    """Names of the sender's extensions (their positions are the ids), and whether to send acks."""

    extensions: Sequence[str] = ()
    ack: bool = False


class Status(NamedTuple):
    """What the sender is willing to do on this channel."""

    uploading: bool = False
    downloading: bool = False


class Have(NamedTuple):
    """The sender holds ``length`` blocks from ``start``, or those set in the encoded bitfield."""

    start: int
    length: int = 1
    bitfield: bytes | None = None
    ack: bool = False


class Unhave(NamedTuple):
    """The sender no longer holds ``length`` blocks from ``start``."""

    start: int
    length: int = 1


class Want(NamedTuple):
    """The sender wants to be told what there is of ``length`` blocks from ``start``."""

    start: int
    length: int = 0


class Unwant(NamedTuple):
    """The sender no longer wants to be told."""

    start: int
    length: int = 0


class Request(NamedTuple):
    """The sender asks for a block.

    Attributes:
        index: the block.
        bytes: if not zero, ask for the block at this byte offset instead.
        hash: ask for the proof alone, without the block.
        nodes: digest of the tree nodes the sender has.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index
    bytes: int = 0
    hash: bool = False
    nodes: int = 0


class Cancel(NamedTuple):
    """The sender takes a request back."""

    index: int  # type: ignore[assignment]  # hides tuple.index
    bytes: int = 0
    hash: bool = False


class Data(NamedTuple):
    """A block with its proof.

    Attributes:
        index: the block.
        value: its bytes; None in a proof alone (``b""`` is an empty block).
        nodes: the proof, in the order in which it is verified.
        signature: of the tree's roots, 64 bytes, or None if the proof needs none.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index
    value: bytes | None = None
    nodes: Sequence[Node] = ()
    signature: bytes | None = None


class Close(NamedTuple):
    """A channel is closed; with a discovery key: refused, as it was not opened on this side."""

    discovery_key: bytes | None = None


class Extension(NamedTuple):
    """A message of an extension, by the sender's number for it."""

    id: int
    payload: bytes


Message = (
    Open
    | Options
    | Status
    | Have
    | Unhave
    | Want
    | Unwant
    | Request
    | Cancel
    | Data
    | Close
    | Extension
)


# -- encoders ----------------------------------------------------------------------------------


def encode_open(discovery_key: bytes, capability: bytes | None = None) -> bytes:
    """Body of an Open."""
    return protobuf.encode(((1, discovery_key), (2, capability)))


def encode_options(extensions: Sequence[str] = (), ack: bool | None = None) -> bytes:
    """Body of Options."""
    return protobuf.encode(((1, extensions), (2, ack)))


def encode_status(uploading: bool | None = None, downloading: bool | None = None) -> bytes:
    """Body of a Status."""
    return protobuf.encode(((1, uploading), (2, downloading)))


def encode_have(
    start: int,
    length: int | None = None,
    bitfield: bytes | None = None,
    ack: bool | None = None,
) -> bytes:
    """Body of a Have; a missing length means 1."""
    if length is None and bitfield is None and ack is None:
        return b"\x08" + varint.encode(start)
    return protobuf.encode(((1, start), (2, length), (3, bitfield), (4, ack)))


def encode_unhave(start: int, length: int | None = None) -> bytes:
    """Body of an Unhave; a missing length means 1."""
    return protobuf.encode(((1, start), (2, length)))


def encode_want(start: int, length: int | None = None) -> bytes:
    """Body of a Want; a missing length means 0."""
    return protobuf.encode(((1, start), (2, length)))


encode_unwant = encode_want


def encode_request(
    index: int, seek_bytes: int | None = 0, hash_only: bool | None = False, nodes: int | None = 0
) -> bytes:
    """Body of a Request. JS writes all four fields, so zeros are the default, not None."""
    if seek_bytes == 0 and hash_only is False and nodes is not None:
        return b"\x08" + varint.encode(index) + b"\x10\x00\x18\x00\x20" + varint.encode(nodes)
    return protobuf.encode(((1, index), (2, seek_bytes), (3, hash_only), (4, nodes)))


def encode_cancel(
    index: int, seek_bytes: int | None = None, hash_only: bool | None = None
) -> bytes:
    """Body of a Cancel."""
    return protobuf.encode(((1, index), (2, seek_bytes), (3, hash_only)))


def encode_close(discovery_key: bytes | None = None) -> bytes:
    """Body of a Close."""
    return b"" if discovery_key is None else protobuf.encode(((1, discovery_key),))


def encode_extension(extension_id: int, payload: bytes) -> bytes:
    """Body of an extension message: its number and the payload, without protobuf."""
    return varint.encode(extension_id) + payload


def encode_data(
    index: int,
    value: bytes | None = None,
    nodes: Sequence[tuple[int, bytes, int]] = (),
    signature: bytes | None = None,
) -> bytes:
    """Body of a Data message."""
    return b"".join(data_parts(index, value, nodes, signature))


def data_parts(
    index: int,
    value: bytes | None = None,
    nodes: Sequence[tuple[int, bytes, int]] = (),
    signature: bytes | None = None,
) -> list[bytes]:
    """Body of a Data message in parts, which spares copying a large ``value`` once."""
    encode = varint.encode
    parts = [b"\x08", encode(index)]
    if value is not None:
        parts += (b"\x12", encode(len(value)), value)
    for node_index, digest, size in nodes:
        first = encode(node_index)
        last = encode(size)
        length = len(digest) + len(first) + len(last) + 4
        parts += (_NODE_HEADS[length], first, b"\x12\x20", digest, b"\x18", last)
    if signature is not None:
        parts += (b"\x22", encode(len(signature)), signature)
    return parts


_NODE_HEADS: Final = tuple(b"\x1a%c\x08" % length for length in range(64))
"""Field number, length and first tag of a node, by its length (never above 52)."""


# -- decoders of the hot path ------------------------------------------------------------------

_new = tuple.__new__


def decode_data(body: bytes) -> Data:
    """Read the body of a Data message.

    Raises:
        RemoteProtocolError: it is malformed.
    """
    try:
        if body[0] != 8:
            return _decode_any_data(body)
        index = body[1]
        offset = 2
        if index > 127:
            index, offset = _finish(body, 2, index)
        value = signature = None
        nodes: list[Node] = []
        end = len(body)
        while offset < end:
            tag = body[offset]
            size = body[offset + 1]
            offset += 2
            if size > 127:
                size, offset = _finish(body, offset, size)
            stop = offset + size
            if stop > end:
                return _decode_any_data(body)
            if tag == 26:
                node = _usual_node(body, offset, stop)
                if node is None or len(nodes) == NODES_MAX:
                    return _decode_any_data(body)
                nodes.append(node)
            elif tag == 18:
                value = body[offset:stop]
            elif tag == 34:
                signature = body[offset:stop]
            else:
                return _decode_any_data(body)
            offset = stop
    except (IndexError, ValueError):
        return _decode_any_data(body)
    return _new(Data, (index, value, nodes, signature))


def _usual_node(body: bytes, offset: int, stop: int) -> Node | None:
    if body[offset] != 8:
        return None
    index = body[offset + 1]
    offset += 2
    if index > 127:
        index, offset = _finish(body, offset, index)
    place = offset + 34
    if body[offset] != 18 or body[offset + 1] != HASH_BYTES or body[place] != 24:
        return None
    size = body[place + 1]
    place += 2
    if size > 127:
        size, place = _finish(body, place, size)
    if place != stop:
        return None
    return _new(Node, (index, body[offset + 2 : offset + 34], size))


def decode_request(body: bytes) -> Request:
    """Read the body of a Request.

    Raises:
        RemoteProtocolError: it is malformed.
    """
    index = -1
    seek = hash_only = nodes = offset = 0
    end = len(body)
    try:
        while offset < end:
            tag = body[offset]
            number = body[offset + 1]
            offset += 2
            if number > 127:
                number, offset = _finish(body, offset, number)
            if tag == 8:
                index = number
            elif tag == 16:
                seek = number
            elif tag == 24:
                hash_only = number
            elif tag == 32:
                nodes = number
            else:
                return _decode_any_request(body)
    except (IndexError, ValueError):
        return _decode_any_request(body)
    if index < 0:
        return _decode_any_request(body)
    return _new(Request, (index, seek, hash_only != 0, nodes))


def decode_have(body: bytes) -> Have:
    """Read the body of a Have.

    Raises:
        RemoteProtocolError: it is malformed.
    """
    try:
        if body[0] == 8:
            start = body[1]
            offset = 2
            if start > 127:
                start, offset = _finish(body, 2, start)
            if offset == len(body):  # one block, the form of every announcement
                return _new(Have, (start, 1, None, False))
    except (IndexError, ValueError):
        pass
    return _decode_any_have(body)


_finish = varint.finish


# -- general decoders --------------------------------------------------------------------------

_OPEN: Final = {1: Kind.BYTES, 2: Kind.BYTES}
_OPTIONS: Final = {1: Kind.REPEATED_BYTES, 2: Kind.BOOL}
_STATUS: Final = {1: Kind.BOOL, 2: Kind.BOOL}
_HAVE: Final = {1: Kind.UINT, 2: Kind.UINT, 3: Kind.BYTES, 4: Kind.BOOL}
_RANGE: Final = {1: Kind.UINT, 2: Kind.UINT}
_REQUEST: Final = {1: Kind.UINT, 2: Kind.UINT, 3: Kind.BOOL, 4: Kind.UINT}
_DATA: Final = {1: Kind.UINT, 2: Kind.BYTES, 3: Kind.REPEATED_BYTES, 4: Kind.BYTES}
_NODE: Final = {1: Kind.UINT, 2: Kind.BYTES, 3: Kind.UINT}
_CLOSE: Final = {1: Kind.BYTES}

_T = TypeVar("_T")


def _decoder(name: str, read: Callable[[bytes], _T]) -> Callable[[bytes], _T]:
    def decode(body: bytes) -> _T:
        try:
            return read(body)
        except ValueError as error:
            raise RemoteProtocolError(f"malformed {name}: {error}") from None

    decode.__name__ = decode.__qualname__ = f"decode_{name.lower()}"
    decode.__doc__ = f"Read the body of {name}; RemoteProtocolError if it is malformed."
    return decode


def _read_open(body: bytes) -> Open:
    fields = Fields(body, _OPEN)
    return Open(fields.required_raw(1), fields.raw(2))


def _read_options(body: bytes) -> Options:
    fields = Fields(body, _OPTIONS)
    names = [raw.decode("utf-8", "replace") for raw in fields.repeated(1)]
    return Options(names, fields.flag(2))


def _read_status(body: bytes) -> Status:
    fields = Fields(body, _STATUS)
    return Status(fields.flag(1), fields.flag(2))


def _read_have(body: bytes) -> Have:
    fields = Fields(body, _HAVE)
    return Have(fields.required_uint(1), fields.uint(2, 1), fields.raw(3), fields.flag(4))


def _read_unhave(body: bytes) -> Unhave:
    fields = Fields(body, _RANGE)
    return Unhave(fields.required_uint(1), fields.uint(2, 1))


def _read_want(body: bytes) -> Want:
    fields = Fields(body, _RANGE)
    return Want(fields.required_uint(1), fields.uint(2, 0))


def _read_unwant(body: bytes) -> Unwant:
    return Unwant(*_read_want(body))


def _read_request(body: bytes) -> Request:
    fields = Fields(body, _REQUEST)
    return Request(fields.required_uint(1), fields.uint(2, 0), fields.flag(3), fields.uint(4, 0))


def _read_cancel(body: bytes) -> Cancel:
    return Cancel(*_read_request(body)[:3])


def _read_data(body: bytes) -> Data:
    fields = Fields(body, _DATA)
    index = fields.required_uint(1)
    raw_nodes = fields.repeated(3)
    if len(raw_nodes) > NODES_MAX:
        raise ValueError(f"more than {NODES_MAX} nodes")
    return Data(index, fields.raw(2), [_read_node(raw) for raw in raw_nodes], fields.raw(4))


def _read_node(body: bytes) -> Node:
    fields = Fields(body, _NODE)
    digest = fields.required_raw(2)
    if len(digest) != HASH_BYTES:
        raise ValueError(f"a node's hash has {len(digest)} bytes")
    return Node(fields.required_uint(1), digest, fields.required_uint(3))


def _read_close(body: bytes) -> Close:
    return Close(Fields(body, _CLOSE).raw(1))


def _read_extension(body: bytes) -> Extension:
    number, offset = varint.decode(body)
    return Extension(number, body[offset:])


decode_open: Final = _decoder("Open", _read_open)
decode_options: Final = _decoder("Options", _read_options)
decode_status: Final = _decoder("Status", _read_status)
decode_unhave: Final = _decoder("Unhave", _read_unhave)
decode_want: Final = _decoder("Want", _read_want)
decode_unwant: Final = _decoder("Unwant", _read_unwant)
decode_cancel: Final = _decoder("Cancel", _read_cancel)
decode_close: Final = _decoder("Close", _read_close)
decode_extension: Final = _decoder("Extension", _read_extension)

_decode_any_have: Final = _decoder("Have", _read_have)
_decode_any_request: Final = _decoder("Request", _read_request)
_decode_any_data: Final = _decoder("Data", _read_data)

_DECODERS: Final[Mapping[int, Callable[[bytes], Message]]] = {
    MessageType.OPEN: decode_open,
    MessageType.OPTIONS: decode_options,
    MessageType.STATUS: decode_status,
    MessageType.HAVE: decode_have,
    MessageType.UNHAVE: decode_unhave,
    MessageType.WANT: decode_want,
    MessageType.UNWANT: decode_unwant,
    MessageType.REQUEST: decode_request,
    MessageType.CANCEL: decode_cancel,
    MessageType.DATA: decode_data,
    MessageType.CLOSE: decode_close,
    MessageType.EXTENSION: decode_extension,
}


def decode(message_type: int, body: bytes) -> Message | None:
    """Read a body of any type; None for the unused types, which are to be ignored.

    Raises:
        RemoteProtocolError: it is malformed.
    """
    decoder = _DECODERS.get(message_type)
    return None if decoder is None else decoder(body)
