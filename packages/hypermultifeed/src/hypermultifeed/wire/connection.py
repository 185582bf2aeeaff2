"""One connection's byte stream as a state machine: handshake, cipher, frames, time limits.

No I/O and no clock: bytes and the time go in, bytes to send and the time of the next timer come
out. What happens is told to a :class:`FrameHandler`.

The wire is that of simple-hypercore-protocol 2: handshake messages with a length before each, then
frames (see :mod:`hypermultifeed.wire.framing`) under the stream cipher.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Protocol

from hypermultifeed import crypto
from hypermultifeed.encoding import protobuf, varint
from hypermultifeed.encoding.protobuf import Fields, Kind
from hypermultifeed.errors import (
    HandshakeError,
    RemoteProtocolError,
    ReplicationTimeoutError,
    StreamClosedError,
)
from hypermultifeed.keys import NoiseKeyPair
from hypermultifeed.wire.cipher import Cipher
from hypermultifeed.wire.framing import KEEP_ALIVE, FrameParser, frame_head
from hypermultifeed.wire.noise import Handshake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypermultifeed.crypto import Buffer

HANDSHAKE_TIMEOUT_S: Final = 10.0
"""Time from the connection's begin to the handshake's end, not prolonged by bytes."""

TIMEOUT_S: Final = 20.0
"""Longest silence of the peer, as in JS."""

KEEP_ALIVES_PER_TIMEOUT: Final = 3
"""Of so many parts of the timeout, one without anything sent gets a keep-alive at its end."""

FRAME_BYTES_PER_S_MIN: Final = 256
"""An unfinished frame must have grown at this rate by the time its own timeout has passed."""

HANDSHAKE_MESSAGE_BYTES_MAX: Final = 4096
"""Far above what is needed (122 bytes) and far below what Noise allows (65535)."""

DECRYPT_BYTES_MAX: Final = 65536
"""Longer chunks are decrypted piece by piece, which keeps the working set in the cache."""

_PAYLOAD: Final = {1: Kind.BYTES}
_ONE_BYTE: Final = tuple(bytes((value,)) for value in range(128))


class FrameHandler(Protocol):
    """What is told of a connection. An exception from any of these ends the connection."""

    def on_authenticate(self, remote_public_key: bytes) -> None:
        """The peer's static key is proven, and our last handshake message is not sent yet.

        (The responder's last message has gone before; nothing follows it if this raises.)
        """

    def on_handshake(self) -> None:
        """Keys are agreed; frames follow. Not called when there is no handshake."""

    def on_frame(self, channel: int, message_type: int, body: bytes) -> None:
        """One whole frame, decrypted."""


class Connection:
    """Both directions of one byte stream.

    Args:
        handler: told about everything.
        initiator: whether this side speaks first (the one that dialled).
        key_pair: our static key pair.
        ephemeral_seed: 32 random bytes, never used twice.
        nonce: 24 random bytes, never used twice with the same peer.
        now: the time in monotonic seconds; the handshake's deadline counts from here.
        noise: false only together with ``encrypted=False`` turns the handshake off. Then nobody
            is authenticated and channels are opened without proof: for tests and for links that
            are protected otherwise.
        encrypted: false leaves frames in clear after the handshake. The peer must do the same.
        handshake_timeout_s: see :data:`HANDSHAKE_TIMEOUT_S`; zero for no limit.
        timeout_s: see :data:`TIMEOUT_S`; zero for no limit and no keep-alives.
        ephemeral: instead of ``ephemeral_seed``, to replay a recorded session.

    Attributes:
        handshake_complete: whether frames can travel.
        public_key: our static public key.
        remote_public_key: the peer's, once known; None without a handshake.
        tx, rx: the handshake's two keys, 32 bytes each, for capabilities; empty before its end.
        handshake_hash: 64 bytes that name this session, the same on both sides.
        bytes_received, bytes_sent: counters of raw bytes.
    """

    def __init__(
        self,
        handler: FrameHandler,
        *,
        initiator: bool,
        key_pair: NoiseKeyPair,
        ephemeral_seed: bytes,
        nonce: bytes,
        now: float,
        noise: bool = True,
        encrypted: bool = True,
        handshake_timeout_s: float = HANDSHAKE_TIMEOUT_S,
        timeout_s: float = TIMEOUT_S,
        ephemeral: NoiseKeyPair | None = None,
    ) -> None:
        if len(nonce) != crypto.NONCE_BYTES:
            raise ValueError(f"the nonce has {crypto.NONCE_BYTES} bytes")
        self.handshake_complete = False
        self.public_key = key_pair.public_key
        self.remote_public_key: bytes | None = None
        self.tx = self.rx = self.handshake_hash = b""
        self.bytes_received = self.bytes_sent = 0
        self._handler = handler
        self._nonce = nonce
        self._encrypted = encrypted
        self._cipher: Cipher | None = None
        self._parser = FrameParser(handler.on_frame)
        self._parts: list[Buffer] = []  # frames not yet encrypted
        self._parts_size = 0
        self._clear = b""  # handshake messages to send
        self._inbox = b""  # an unfinished handshake message
        self._dead = self._ending = self._reading_paused = False
        self._timeout_s = timeout_s or math.inf
        self._handshake_deadline = now + (handshake_timeout_s or math.inf)
        self._received_at = self._frame_since = now
        self._keep_alive_at = math.inf
        self._sent_before = 0
        self._handshake: Handshake | None = None
        if noise or encrypted:
            self._handshake = Handshake(
                initiator=initiator,
                key_pair=key_pair,
                ephemeral=ephemeral or NoiseKeyPair.from_seed(ephemeral_seed),
                payload=protobuf.encode(((1, nonce),)),
            )
            if initiator:
                self._write_handshake(self._handshake)
        else:
            self._start(now)

    # -- receiving -----------------------------------------------------------------------------

    def receive_data(self, data: Buffer, now: float) -> None:
        """Take bytes from the peer; whole frames go to the handler before this returns.

        Raises:
            RemoteProtocolError: the peer broke the protocol (HandshakeError: during the
                handshake).
            ReplicationTimeoutError: it is too late for the handshake.
            StreamClosedError: the connection has failed before.
            Exception: what the handler raised.

        After any of these the connection is dead: it takes nothing and has nothing to send.
        """
        if self._dead:
            raise StreamClosedError("the connection has failed")
        size = len(data)
        self.bytes_received += size
        self._received_at = now
        try:
            if self._handshake is not None:
                data = self._receive_handshake(self._handshake, bytes(data), now)
            if size <= DECRYPT_BYTES_MAX:
                self._receive_frames(data, now)
            else:
                view = memoryview(data)
                for at in range(0, len(view), DECRYPT_BYTES_MAX):
                    self._receive_frames(view[at : at + DECRYPT_BYTES_MAX], now)
        except BaseException:
            self._die()
            raise

    def receive_eof(self, now: float) -> None:
        """The peer has ended its output: end ours too.

        Raises:
            HandshakeError: it did so during the handshake.
            RemoteProtocolError: it did so within a frame.
        """
        if self._dead:
            return
        self._received_at = now
        if self._handshake is not None:
            self._die()
            raise HandshakeError("the peer ended the stream during the handshake")
        if self._parser.pending:
            self._die()
            raise RemoteProtocolError("the peer ended the stream within a frame")
        self.end()

    def _receive_frames(self, data: Buffer, now: float) -> None:
        plain = bytes(data) if self._cipher is None else self._cipher.decrypt(data)
        self._parser.feed(plain)
        if 0 < self._parser.pending <= len(plain):
            self._frame_since = now  # all of the unfinished frame came just now

    # -- handshake -----------------------------------------------------------------------------

    def _receive_handshake(self, handshake: Handshake, data: bytes, now: float) -> bytes:
        """Take handshake messages and return what follows the last one."""
        if now >= self._handshake_deadline:
            raise ReplicationTimeoutError("the handshake took too long")
        self._inbox += data
        while (message := self._next_handshake_message()) is not None:
            known = handshake.remote_public_key
            handshake.read_message(message)
            if known is None and handshake.remote_public_key is not None:
                self.remote_public_key = handshake.remote_public_key
                self._handler.on_authenticate(handshake.remote_public_key)
            if handshake.writes_next:
                self._write_handshake(handshake)
            if handshake.finished:
                return self._finish_handshake(handshake, now)
        return b""

    def _next_handshake_message(self) -> bytes | None:
        inbox = self._inbox
        size, offset = _read_message_size(inbox)
        if offset == 0 or len(inbox) < offset + size:
            return None
        self._inbox = inbox[offset + size :]
        return inbox[offset : offset + size]

    def _write_handshake(self, handshake: Handshake) -> None:
        message = handshake.write_message()
        self._clear += varint.encode(len(message)) + message

    def _finish_handshake(self, handshake: Handshake, now: float) -> bytes:
        remote_nonce = _read_payload(handshake.remote_payload)
        self.tx, self.rx = handshake.tx, handshake.rx
        self.handshake_hash = handshake.hash
        if self._encrypted:
            self._cipher = Cipher(
                tx=self.tx, nonce=self._nonce, rx=self.rx, remote_nonce=remote_nonce
            )
        self._handshake = None
        rest, self._inbox = self._inbox, b""
        self._start(now)
        self._handler.on_handshake()
        return rest

    def _start(self, now: float) -> None:
        self.handshake_complete = True
        self._keep_alive_at = now + self._timeout_s / KEEP_ALIVES_PER_TIMEOUT

    # -- sending -------------------------------------------------------------------------------

    def send_frame(self, channel: int, message_type: int, body: Buffer | Sequence[Buffer]) -> None:
        """Queue one frame; it leaves with the next :meth:`data_to_send` after the handshake.

        Args:
            channel: our number of the channel.
            message_type: one of ``MessageType``.
            body: the body, or its parts in a list or tuple. Not to be changed until sent.

        After :meth:`end` or a failure this does nothing.

        Raises:
            LocalProtocolError: the body or the channel number is above its limit.
        """
        if self._ending or self._dead:
            return
        whole = not isinstance(body, (list, tuple))
        size = len(body) if whole else sum(map(len, body))  # type: ignore[arg-type]
        header = channel << 4 | message_type
        if size < 16383 and 0 <= header < 128:
            length = size + 1
            if length < 128:
                head = _ONE_BYTE[length] + _ONE_BYTE[header]
            else:
                head = bytes((length & 127 | 128, length >> 7, header))
        else:
            head = frame_head(channel, message_type, size)
        self._parts_size += len(head) + size
        if whole:
            self._parts += (head, body)  # type: ignore[arg-type]
        else:
            self._parts += (head, *body)

    @property
    def output_size(self) -> int:
        """Bytes waiting to be sent, including frames that wait for the handshake."""
        return len(self._clear) + self._parts_size

    def data_to_send(self) -> bytes | bytearray:
        """Take everything that can be sent now, encrypted; ``b""`` if nothing can."""
        clear, self._clear = self._clear, b""
        if not self._parts or not self.handshake_complete:
            self.bytes_sent += len(clear)
            return clear
        parts, self._parts = self._parts, []
        self._parts_size = 0
        data = bytearray().join(parts) if self._cipher is None else self._cipher.encrypt(parts)
        if clear:
            data[:0] = clear
        self.bytes_sent += len(data)
        return data

    def end(self) -> None:
        """End our output once all that is queued has been sent. Idempotent."""
        self._ending = True

    @property
    def ended(self) -> bool:
        """Whether our output is to be closed now: it was ended and nothing is left to send."""
        if self._dead:
            return True
        return self._ending and not self._clear and not (self._parts and self.handshake_complete)

    # -- time ----------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        """The caller does not read for a while: the peer's silence is not its fault."""
        self._reading_paused = True

    def resume_reading(self, now: float) -> None:
        """The caller reads again: time limits begin anew."""
        self._reading_paused = False
        self._received_at = self._frame_since = now

    def get_timer(self) -> float | None:
        """When to call :meth:`handle_timer`, or None for never. Ask again after each event."""
        if self._dead:
            return None
        if self._handshake is not None:
            due = self._handshake_deadline
        else:
            due = min(self._keep_alive_at, self._receive_deadline())
        return None if due == math.inf else due

    def handle_timer(self, now: float) -> None:
        """Do what is due.

        Raises:
            ReplicationTimeoutError: the handshake or a frame took too long, or the peer was
                silent for too long. The connection is dead.
        """
        if self._dead:
            return
        if self._handshake is not None:
            if now >= self._handshake_deadline:
                self._time_out("the handshake took too long")
            return
        if now >= self._receive_deadline():
            silent = now >= self._received_at + self._timeout_s
            self._time_out("the peer was silent for too long" if silent else "a frame is too slow")
        if now >= self._keep_alive_at:
            self._keep_alive(now)

    def _receive_deadline(self) -> float:
        if self._reading_paused:
            return math.inf
        silence = self._received_at + self._timeout_s
        pending = self._parser.pending
        if not pending:
            return silence
        slow = self._frame_since + self._timeout_s + pending / FRAME_BYTES_PER_S_MIN
        return min(silence, slow)

    def _keep_alive(self, now: float) -> None:
        self._keep_alive_at = now + self._timeout_s / KEEP_ALIVES_PER_TIMEOUT
        if self.bytes_sent == self._sent_before and not self._parts and not self._ending:
            self._parts.append(KEEP_ALIVE)
            self._parts_size += 1
        self._sent_before = self.bytes_sent

    def _time_out(self, message: str) -> None:
        self._die()
        raise ReplicationTimeoutError(message)

    def _die(self) -> None:
        self._dead = True
        self._parts.clear()
        self._parts_size = 0
        self._clear = self._inbox = b""


def _read_message_size(inbox: bytes) -> tuple[int, int]:
    """Size of a handshake message and where it begins (zero: not known yet)."""
    if not inbox or (inbox[0] > 127 and len(inbox) == 1):
        return 0, 0
    size, offset = inbox[0], 1
    if size > 127:
        size, offset = size - 128 | inbox[1] << 7, 2
    if not 0 < size <= HANDSHAKE_MESSAGE_BYTES_MAX:
        raise HandshakeError("Noise handshake failed")
    return size, offset


def _read_payload(payload: bytes) -> bytes:
    """The peer's nonce from its handshake payload."""
    try:
        nonce = Fields(payload, _PAYLOAD).required_raw(1)
    except ValueError:
        raise HandshakeError("the peer's handshake payload cannot be read") from None
    if len(nonce) != crypto.NONCE_BYTES:
        raise HandshakeError("the peer's nonce has a wrong length")
    return nonce
