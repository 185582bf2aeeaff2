"""A host for operations whose nodes answer what a test wants them to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypermultifeed.discovery.addresses import Address, Contact
from hypermultifeed.discovery.kbucket import Node
from hypermultifeed.discovery.messages import Message, MessageType
from hypermultifeed.discovery.requests import Request, Traffic
from hypermultifeed.errors import DiscoveryError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypermultifeed.discovery.query import Query, Question
    from hypermultifeed.discovery.requests import Answered

OWN_ID = b"\xff" * 32
TOKEN = b"t" * 32


def contact(number: int) -> Contact:
    """A node whose id begins with zeros and ends with its number; public, each in its own /24."""
    address = Address(f"93.{number >> 8 & 255}.{number & 255}.1", 1000)
    return Contact(number.to_bytes(32, "big"), address)


class ScriptedHost:
    """Keeps the requests of an operation until the test answers them."""

    def __init__(self, known: Sequence[Contact] = (), bootstrap: Sequence[Address] = ()) -> None:
        self.id = OWN_ID
        self.bootstrap = bootstrap
        self.known = known
        self.running = 1
        self.others_in_flight = 0
        self.open: list[tuple[Request, Question]] = []
        self.asked: list[tuple[Question, Address]] = []
        self.later: list[Callable[[float], None]] = []
        self.over: list[Query[Any]] = []
        self.cancelled: list[Request] = []
        self.full = False

    @property
    def in_flight(self) -> int:
        return len(self.open) + self.others_in_flight

    def closest(self, target: bytes) -> list[Node]:
        return [Node(one.id, one.address) for one in self.known]

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
        if self.full:
            raise DiscoveryError("full")
        message = question.message(None, address)
        request = Request(message, address, on_end, traffic, expected_id, referrer, help_early)
        traffic.requests += 1
        self.open.append((request, question))
        self.asked.append((question, address))
        return request

    def cancel(self, request: Request) -> None:
        self.cancelled.append(request)
        self.open = [one for one in self.open if one[0] is not request]

    def soon(self, call: Callable[[float], None]) -> None:
        self.later.append(call)

    def ended(self, query: Query[Any]) -> None:
        self.over.append(query)

    # --- what a test does

    def run_later(self) -> None:
        later, self.later = self.later, []
        for call in later:
            call(0.0)

    def take(self, address: Address) -> Request:
        """The oldest request under way to an address, which is over now."""
        for entry in self.open:
            if entry[0].address == address:
                self.open.remove(entry)
                return entry[0]
        raise AssertionError(f"{address} was not asked")

    def answer(self, who: Contact, *named: Contact, **fields: Any) -> None:
        """Let a node answer and name others."""
        request = self.take(who.address)
        request.traffic.replies += 1
        message = Message(MessageType.RESPONSE, 0, id=who.id, roundtrip_token=TOKEN)
        message.closer_nodes = list(named)
        for name, value in fields.items():
            setattr(message, name, value)
        request.on_end(request, message, who.address, 0.0)

    def fail(self, who: Contact) -> None:
        """Let a node be silent until its request is given up."""
        request = self.take(who.address)
        request.on_end(request, None, who.address, 0.0)

    def late(self, who: Contact) -> None:
        """Let the request to a node be sent again."""
        for request, _ in self.open:
            if request.address == who.address and request.on_late is not None:
                request.on_late(request, 0.0)

    def addresses(self) -> list[Address]:
        """Who is being asked."""
        return [request.address for request, _ in self.open]
