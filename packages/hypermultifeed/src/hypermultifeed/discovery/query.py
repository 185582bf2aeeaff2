"""Operations of the DHT while they run: what their callers see, and those of a single request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, NamedTuple, Protocol, TypeVar

from hypermultifeed.discovery.messages import Message, MessageType
from hypermultifeed.discovery.requests import Request, Traffic
from hypermultifeed.errors import DiscoveryError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypermultifeed.discovery.addresses import Address
    from hypermultifeed.discovery.candidates import Candidate
    from hypermultifeed.discovery.kbucket import Node
    from hypermultifeed.discovery.requests import Answered

T = TypeVar("T")

QUERY: Final = MessageType.QUERY
UPDATE: Final = MessageType.UPDATE


class Reply(NamedTuple):
    """One answer.

    Attributes:
        type: whether it answers a query or an update.
        node: who answered.
        id: of that node, None if it is ephemeral.
        to: our own address as that node sees it.
        value: what the command gives, as bytes.
        error: what the node refused us with.
    """

    type: MessageType
    node: Address
    id: bytes | None
    to: Address | None
    value: bytes | None
    error: str | None

    @classmethod
    def of(cls, type_: MessageType, message: Message, sender: Address) -> Reply:
        """What a response says."""
        return cls(
            type_, sender, message.sender_id, message.to, message.value, message.error or None
        )


class Question(NamedTuple):
    """What a request asks.

    Attributes:
        value: of the command; None leaves the field out, which is not the same as empty.
        token: of an update: the one that the node gave us.
    """

    command: str
    target: bytes | None = None
    value: bytes | None = None
    token: bytes | None = None

    def message(self, own_id: bytes | None, to: Address) -> Message:
        """The message, still without its rid."""
        return Message(
            type=QUERY if self.token is None else UPDATE,
            rid=0,
            to=to,
            id=own_id,
            target=self.target,
            roundtrip_token=self.token,
            command=self.command,
            value=self.value,
        )


class Host(Protocol):
    """The node that an operation runs on."""

    @property
    def id(self) -> bytes:
        """The centre of its own table."""

    @property
    def bootstrap(self) -> Sequence[Address]:
        """Nodes to begin with while few are known."""

    @property
    def in_flight(self) -> int:
        """Requests of all operations under way."""

    @property
    def running(self) -> int:
        """Operations that walk."""

    def closest(self, target: bytes) -> list[Node]:
        """The nodes of the own table around a target."""

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
        """Ask a node something; DiscoveryError if too much waits or nobody can be there."""

    def cancel(self, request: Request) -> None:
        """Forget a request."""

    def soon(self, call: Callable[[float], None]) -> None:
        """Call something when timers are handled next, which is at once."""

    def ended(self, query: Query[T]) -> None:
        """An operation is over."""


class Query(Generic[T]):
    """An operation that runs.

    Attributes:
        on_reply: called with each result; set it before the node is given the next event.
        on_end: called once at the end, however it comes, but not after `cancel`.
        error: why it failed, once it is done.
        done: it is over.
        traffic: what it cost.
    """

    def __init__(self, host: Host) -> None:
        self.on_reply: Callable[[T], None] = _ignore
        self.on_end: Callable[[Query[T]], None] = _ignore
        self.error: DiscoveryError | None = None
        self.done = False
        self.traffic = Traffic()
        self._host = host
        self._open: dict[Request, Candidate | None] = {}

    def cancel(self) -> None:
        """Stop; nothing is called any more and answers still under way are ignored."""
        if not self.done:
            self._stop()

    def fail(self, error: DiscoveryError) -> None:
        """End with an error."""
        if not self.done:
            self.error = error
            self.finish()

    def finish(self) -> None:
        """End."""
        if not self.done:
            self._stop()
            self.on_end(self)

    def _stop(self) -> None:
        self.done = True
        for request in self._open:
            self._host.cancel(request)
        self._open.clear()
        self._host.ended(self)


class SingleQuery(Query[T]):
    """One question to one node; ``read`` gives the result, or None if the answer is no good."""

    def __init__(self, host: Host, read: Callable[[Reply], T | None]) -> None:
        super().__init__(host)
        self._read = read

    def ask(
        self, question: Question, address: Address, now: float, referrer: Address | None = None
    ) -> None:
        """Send it."""
        try:
            request = self._host.request(
                question, address, self._on_end, self.traffic, now, referrer=referrer
            )
        except DiscoveryError as error:
            failure = error
            self._host.soon(lambda _now: self.fail(failure))
        else:
            self._open[request] = None

    def _on_end(
        self, _request: Request, message: Message | None, sender: Address, _now: float
    ) -> None:
        self._open.clear()
        if message is None:
            self.fail(DiscoveryError(f"{sender} did not answer"))
            return
        result = self._read(Reply.of(QUERY, message, sender))
        if result is None:
            self.fail(DiscoveryError(f"{sender} did not answer what it was asked"))
            return
        self.on_reply(result)
        self.finish()


class ReadyQuery(Query[T]):
    """An operation that needs no request; it ends as soon as its caller can see that."""

    def __init__(self, host: Host, *results: T) -> None:
        super().__init__(host)
        host.soon(lambda _now: self._give(results))

    def _give(self, results: tuple[T, ...]) -> None:
        for result in results:
            if not self.done:
                self.on_reply(result)
        self.finish()


def _ignore(_result: object) -> None:
    """What becomes of results until the caller says otherwise."""
