"""Answers to the requests of others (dht-rpc's index.js; @hyperswarm/dht's index.js, stores.js).

What JS answers is answered with the same bytes. Where JS throws, or stores what it has just
refused, there is an error instead, and nothing is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from hypermultifeed import crypto
from hypermultifeed.discovery.addresses import (
    ID_BYTES,
    PORT_MAX,
    Address,
    Contact,
    encode_address,
)
from hypermultifeed.discovery.messages import Message, MessageType
from hypermultifeed.discovery.store import PeerStore, ValueStore
from hypermultifeed.discovery.tokens import Randomness, Tokens
from hypermultifeed.discovery.values import (
    VALUE_BYTES_MAX,
    Mutable,
    PeersInput,
    PeersOutput,
)
from hypermultifeed.errors import DiscoveryError

if TYPE_CHECKING:
    from collections.abc import Callable

PEERS_MAX: Final = 128
"""Most peers in one answer, neighbours included: with 20 nodes it has 1.6 kB."""

LOCAL_PEERS_MAX: Final = 32
"""Most neighbours in one answer."""

INVALID_INPUT: Final = "ERR_INVALID_INPUT"
INVALID_PORT: Final = "Invalid port"
INVALID_SEQ: Final = "ERR_INVALID_SEQ"
SEQ_MUST_EXCEED_CURRENT: Final = "ERR_SEQ_MUST_EXCEED_CURRENT"
TOO_MANY_RECORDS: Final = "Too many records"
UNSUPPORTED_COMMAND: Final = "Unsupported command"


class _Request(NamedTuple):
    """An ordinary command that is to be carried out; an update's token has been checked."""

    target: bytes
    value: bytes | None
    update: bool
    sender: Address
    now: float

    def required_value(self) -> bytes:
        """The value, where JS takes it for granted and throws without."""
        if self.value is None:
            raise _RefusedError(INVALID_INPUT)
        return self.value


class _RefusedError(DiscoveryError):
    """A request is answered with this error, and perhaps a value that explains it."""

    def __init__(self, text: str, value: bytes | None = None) -> None:
        super().__init__(text)
        self.value = value


class Responder:
    """The server side of a node: messages in, answers out.

    Args:
        node_id: of this node, 32 bytes.
        closest: gives the nodes closest to a target, at most 20.
        randomness: for tokens and for picking peers.
        now: seconds on a clock that never goes back.
        ephemeral: answer without the id, so that nobody puts this node into a table.

    Attributes:
        ephemeral: may be changed at any time.
        tokens: those given to askers.
        peers: the records of topics.
        immutables: values by their hash.
        mutables: values by public key and salt.
    """

    def __init__(
        self,
        node_id: bytes,
        closest: Callable[[bytes], list[Contact]],
        *,
        randomness: Randomness,
        now: float,
        ephemeral: bool = False,
    ) -> None:
        self.ephemeral = ephemeral
        self.tokens = Tokens(randomness, now)
        self.peers = PeerStore(randomness, now)
        self.immutables: ValueStore[bytes] = ValueStore()
        self.mutables: ValueStore[Mutable] = ValueStore()
        self._id = node_id
        self._closest = closest
        self._commands: dict[str, Callable[[_Request], bytes | None]] = {
            "peers": self._on_peers,
            "immutable-store": self._on_immutable,
            "mutable-store": self._on_mutable,
        }

    def answer(self, message: Message, sender: Address, now: float) -> Message | None:
        """The answer to a query or update that came from ``sender``.

        None if there is none: for responses, for updates without a valid token, where the target
        is missing or has not 32 bytes, for a ping of another node, and for ``_holepunch``.
        """
        if message.type is MessageType.RESPONSE:
            return None
        if message.type is MessageType.UPDATE and not self.tokens.verify(
            sender.host, message.roundtrip_token, now
        ):
            return None
        if message.command == "_ping":
            return self._on_ping(message, sender, now)
        target = message.target
        if target is None or len(target) != ID_BYTES or message.command == "_holepunch":
            return None
        closer = self._closest(target)
        if message.command == "_find_node":
            return self.respond(message, sender, now, closer_nodes=closer)
        update = message.type is MessageType.UPDATE
        request = _Request(target, message.value, update, sender, now)
        try:
            value = self._run(message.command or "", request)
        except _RefusedError as refused:
            return self._refuse(message, sender, closer, str(refused), refused.value)
        except DiscoveryError:
            return self._refuse(message, sender, closer, INVALID_INPUT)
        return self.respond(message, sender, now, closer_nodes=closer, value=value)

    def respond(
        self,
        request: Message,
        to: Address,
        now: float,
        *,
        closer_nodes: list[Contact] | None = None,
        value: bytes | None = None,
    ) -> Message:
        """A response that goes to ``to``, with a token for whoever is there."""
        return Message(
            type=MessageType.RESPONSE,
            rid=request.rid,
            to=to,
            id=self._public_id,
            closer_nodes=closer_nodes,
            roundtrip_token=self.tokens.create(to.host, now),
            value=value,
        )

    @property
    def _public_id(self) -> bytes | None:
        return None if self.ephemeral else self._id

    def _refuse(
        self,
        request: Message,
        to: Address,
        closer_nodes: list[Contact],
        error: str,
        value: bytes | None = None,
    ) -> Message:
        return Message(
            type=MessageType.RESPONSE,
            rid=request.rid,
            to=to,
            id=self._public_id,
            closer_nodes=closer_nodes,
            error=error,
            value=value,
        )

    def _on_ping(self, message: Message, sender: Address, now: float) -> Message | None:
        if message.value is not None and message.value != self._id:
            return None
        return self.respond(message, sender, now, value=encode_address(sender))

    def _run(self, name: str, request: _Request) -> bytes | None:
        """Carry out an ordinary command: the value of the answer."""
        command = self._commands.get(name)
        if command is None:
            raise _RefusedError(UNSUPPORTED_COMMAND)
        return command(request)

    def _on_peers(self, request: _Request) -> bytes | None:
        asker = PeersInput.decode(request.required_value())
        host = request.sender.host
        port = asker.port or request.sender.port
        if port > PORT_MAX:
            raise _RefusedError(INVALID_PORT)
        records = [(request.target, encode_address((host, port)))]
        if asker.local_address is not None:
            local = encode_address(asker.local_address)
            records.append((request.target + local[:2], local[2:]))
        if not request.update:
            return self._list_peers(records, request.now)
        for key, record in records:
            if asker.unannounce:
                self.peers.remove(key, record, host, request.now)
            elif not self.peers.add(key, record, host, request.now):
                raise _RefusedError(TOO_MANY_RECORDS)
        return None

    def _list_peers(self, records: list[tuple[bytes, bytes]], now: float) -> bytes:
        """All but the asker, whose own record under its topic is the first of ``records``.

        The second, if there is one, is its local record: the key is the topic and the first two
        octets, so it is told only of neighbours whose addresses begin as its own does.
        """
        local = [
            other
            for key, record in records[1:]
            for other in self.peers.sample(key, LOCAL_PEERS_MAX, now, without=record)
        ]
        key, record = records[0]
        peers = self.peers.sample(key, PEERS_MAX - len(local), now, without=record)
        return PeersOutput(b"".join(peers) or None, b"".join(local) or None).encode()

    def _on_immutable(self, request: _Request) -> bytes | None:
        target = request.target
        if not request.update:
            return self.immutables.get(target)
        value = request.required_value()
        if len(value) > VALUE_BYTES_MAX or crypto.blake2b_256(value) != target:
            raise _RefusedError(INVALID_INPUT)
        self.immutables.put(target, value, request.sender.host)
        return None

    def _on_mutable(self, request: _Request) -> bytes | None:
        given = Mutable.decode(request.required_value())
        key = request.target, given.salt
        stored = self.mutables.get(key)
        if not request.update:
            return None if stored is None or stored.seq < given.seq else stored.encode()
        if not given.verify(request.target, given.salt):
            raise _RefusedError(INVALID_INPUT)
        if stored is not None and given.seq <= stored.seq:
            conflict = given.seq == stored.seq and given.value != stored.value
            error = INVALID_SEQ if conflict else SEQ_MUST_EXCEED_CURRENT
            raise _RefusedError(error, stored.encode())
        self.mutables.put(key, given, request.sender.host)
        return None
