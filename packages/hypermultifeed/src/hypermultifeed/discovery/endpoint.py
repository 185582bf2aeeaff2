"""The traffic of a node: datagrams in, answers and requests out, the routing table in between."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hypermultifeed.discovery import holepunch
from hypermultifeed.discovery.addresses import (
    ID_BYTES,
    PORT_MAX,
    Address,
    Contact,
    encode_address,
)
from hypermultifeed.discovery.contacts import Contacts
from hypermultifeed.discovery.kbucket import BUCKET_NODES_MAX, Node
from hypermultifeed.discovery.messages import Message, MessageType, decode, encode
from hypermultifeed.discovery.own_address import public_address
from hypermultifeed.discovery.probes import Probes
from hypermultifeed.discovery.query import Question
from hypermultifeed.discovery.requests import HOLEPUNCH, Request, Requests, Traffic
from hypermultifeed.discovery.responder import Responder
from hypermultifeed.errors import DiscoveryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hypermultifeed.discovery.requests import Answered, Randomness

PING: Final = "_ping"

OUTPUT_MAX: Final = 4096
"""Datagrams that wait to be fetched; more are lost, as they might be on the way."""


@dataclass(slots=True)
class DhtStats:
    """Counts since the start.

    Attributes:
        malformed: datagrams that were no messages.
        unexpected: responses that nobody waits for, or from another than was asked.
        answered: requests of others that got an answer.
        relayed: messages passed on for others who are behind a NAT.
        lost: datagrams not sent because too many were waiting.
    """

    received: int = 0
    malformed: int = 0
    unexpected: int = 0
    answered: int = 0
    relayed: int = 0
    sent: int = 0
    lost: int = 0


class Endpoint:
    """A node that answers others and sends requests, but does nothing on its own.

    Args:
        node_id: 32 random bytes.
        now: seconds on a clock that never goes back, as in every other method.
        ephemeral: do not tell the id, so that nobody relies on this node.

    Attributes:
        stats: counts.
    """

    def __init__(
        self, *, node_id: bytes, randomness: Randomness, now: float, ephemeral: bool
    ) -> None:
        if len(node_id) != ID_BYTES:
            raise ValueError(f"an id has {ID_BYTES} bytes")
        self.stats = DhtStats()
        self._id = node_id
        self._out: list[tuple[bytes, Address]] = []
        self._probes = Probes(randomness)
        self._requests = Requests(self._send, self._on_silent, randomness, now)
        self._contacts = Contacts(node_id, self._challenge, now)
        self._responder = Responder(
            node_id, self._closest_contacts, randomness=randomness, now=now, ephemeral=ephemeral
        )

    # --- what is known

    @property
    def id(self) -> bytes:
        """The own id, whether others know it or not."""
        return self._id

    @property
    def ephemeral(self) -> bool:
        """Whether the id is kept from others."""
        return self._responder.ephemeral

    @property
    def public_address(self) -> Address | None:
        """Our address as others see it; with port 0 if they see different ports."""
        return public_address(self._contacts.table)

    @property
    def holepunchable(self) -> bool:
        """Whether others see us at one address, so that a NAT can be opened for them."""
        address = self.public_address
        return address is not None and address.port != 0

    @property
    def in_flight(self) -> int:
        """Requests that were not answered yet."""
        return self._requests.in_flight

    @property
    def records(self) -> int:
        """Announced peers and stored values that are kept here."""
        kept = self._responder
        return len(kept.peers) + len(kept.immutables) + len(kept.mutables)

    def __len__(self) -> int:
        return len(self._contacts.table)

    def contacts(self) -> list[Contact]:
        """The nodes of the routing table, longest unheard first."""
        return [node.contact for node in self._contacts.table]

    def add_contacts(self, contacts: Iterable[Contact], now: float) -> None:
        """Take nodes into the routing table that are known from elsewhere."""
        for contact in contacts:
            self._contacts.heard_request(contact.id, contact.address, now)

    def closest(self, target: bytes) -> list[Node]:
        """The nodes of the routing table around a target."""
        return self._contacts.table.closest(target, BUCKET_NODES_MAX)

    # --- input and output

    def receive_datagram(self, data: bytes, sender: Address, now: float) -> None:
        """Take one datagram; whatever is wrong with it, it is only ignored."""
        self.stats.received += 1
        try:
            message = decode(data)
        except DiscoveryError:
            self.stats.malformed += 1
            return
        if not 0 < sender.port <= PORT_MAX:
            return
        if message.type is MessageType.RESPONSE:
            self._on_response(message, sender, now)
        else:
            self._on_request(message, sender, now)

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """What is to be sent, in this order; each is given once."""
        out, self._out = self._out, []
        return out

    def request(
        self,
        question: Question,
        address: Address,
        on_end: Answered,
        traffic: Traffic,
        now: float,
        *,
        expected_id: bytes | None = None,
        referrer: Address | None = None,
        help_early: bool = True,
    ) -> Request:
        """Ask a node something.

        Raises:
            DiscoveryError: too many requests are waiting, or the address or that of the referrer
                is not one of IPv4 with a port.
        """
        for checked in (address, referrer or address):
            encode_address(checked)
        request = self._new_request(
            question, address, on_end, traffic, expected_id, referrer, help_early
        )
        self._requests.submit(request, now)
        return request

    def cancel(self, request: Request) -> None:
        """Forget a request."""
        self._requests.cancel(request)

    def probe(self, address: Address, on_answer: Callable[[], None], now: float) -> None:
        """Ask by one datagram whether anybody is there; if so, ``on_answer`` is called.

        It keeps our id back, and who answers does not enter the routing table: that we probe it
        says only that somebody has named it.

        Raises:
            DiscoveryError: the address is not one of IPv4 with a port.
        """
        message = Question(PING).message(None, address)
        encode_address(address)
        message.rid = self._probes.begin(address, on_answer, now)
        self._send(encode(message), address)

    def oldest(self, count: int, now: float) -> list[Node]:
        """Nodes not heard from for longest, but not those heard from just now."""
        return self._contacts.oldest(count, now)

    def check(self, node: Node, now: float) -> None:
        """Ping a node of the table; if it is silent it leaves the table."""
        with suppress(DiscoveryError):  # so much is waiting that this can wait too
            self._requests.submit(self._new_ping(node, _ignore), now)

    # --- inside

    def _new_request(
        self,
        question: Question,
        address: Address,
        on_end: Answered,
        traffic: Traffic,
        expected_id: bytes | None,
        referrer: Address | None = None,
        help_early: bool = True,
    ) -> Request:
        message = question.message(self._public_id, address)
        return Request(message, address, on_end, traffic, expected_id, referrer, help_early)

    def _new_ping(self, node: Node, on_end: Answered) -> Request:
        question = Question(PING, value=node.id)
        return self._new_request(question, node.address, on_end, Traffic(), node.id)

    def _challenge(self, node: Node, on_end: Callable[[bool, float], None], now: float) -> None:
        """Ping a node of the table, before whatever waits.

        This keeps our id back. To the other we might be a newcomer too, and would make it ping
        others in turn; in a network whose buckets are full that would never end.
        """

        def ended(_: Request, message: Message | None, _sender: Address, now: float) -> None:
            on_end(message is not None and message.sender_id == node.id, now)

        request = self._new_ping(node, ended)
        request.message.id = None
        self._requests.send(request, now)

    @property
    def _public_id(self) -> bytes | None:
        return None if self._responder.ephemeral else self._id

    def _closest_contacts(self, target: bytes) -> list[Contact]:
        return [node.contact for node in self.closest(target)]

    def _on_silent(self, request: Request) -> None:
        if request.expected_id is not None:
            self._contacts.silent(request.expected_id, request.address)

    def _on_response(self, message: Message, sender: Address, now: float) -> None:
        on_answer = self._probes.match(message.rid, sender, now)
        if on_answer is not None:
            on_answer()
            return
        request = self._requests.match(message, sender)
        if request is None:
            self.stats.unexpected += 1
            return
        node_id = message.sender_id
        if request.expected_id != node_id:
            self._on_silent(request)
        if node_id is not None and sender == request.address:
            self._contacts.heard_answer(node_id, sender, message.to, now)
        self._requests.finish(request, message, sender, now)

    def _on_request(self, message: Message, sender: Address, now: float) -> None:
        if message.type is MessageType.QUERY:
            self._heard(message, sender, now)
            if message.command == HOLEPUNCH:
                self._on_holepunch(message, sender, now)
                return
        answer = self._responder.answer(message, sender, now)
        if answer is None:
            return
        if message.type is MessageType.UPDATE:  # only now its token is known to be right
            self._heard(message, sender, now)
        self.stats.answered += 1
        self._send(encode(answer), sender)

    def _heard(self, message: Message, sender: Address, now: float) -> None:
        node_id = message.sender_id
        if node_id is not None:
            self._contacts.heard_request(node_id, sender, now)

    def _on_holepunch(self, message: Message, sender: Address, now: float) -> None:
        punch = holepunch.read(message)
        if punch is None:
            return
        if punch.to is not None:
            relayed = holepunch.relayed(message, sender, punch.to, self._public_id)
            if relayed is not None:
                self.stats.relayed += 1
                self._send(encode(relayed), punch.to)
            return
        asker = holepunch.asker(punch, sender)
        if asker is not None:
            self.stats.answered += 1
            self._send(encode(self._responder.respond(message, asker, now)), asker)

    def _send(self, data: bytes, address: Address) -> None:
        if len(self._out) >= OUTPUT_MAX:
            self.stats.lost += 1
            return
        self.stats.sent += 1
        self._out.append((data, address))


def _ignore(_request: Request, _message: Message | None, _sender: Address, _now: float) -> None:
    """What the table learns from an answer is all that is wanted of it."""
