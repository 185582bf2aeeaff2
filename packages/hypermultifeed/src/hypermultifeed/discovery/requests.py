"""Requests under way: their ids, how often they are sent again, when they are given up, pacing.

All requests of a node share one tick of 750 ms (dht-rpc 4, lib/io.js): a request is sent, sent
again at the 3rd and 6th tick after that, and given up at the 10th.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from hypermultifeed.discovery.messages import RID_MAX, Message, MessageType, encode
from hypermultifeed.discovery.tokens import Randomness as TokenRandomness
from hypermultifeed.discovery.values import Holepunch
from hypermultifeed.errors import DiscoveryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypermultifeed.discovery.addresses import Address

    Answered = Callable[["Request", Message | None, Address, float], None]
    Send = Callable[[bytes, Address], None]

HOLEPUNCH: Final = "_holepunch"
"""The command that asks a relay for help (see `discovery.holepunch`)."""

TICK_S: Final = 0.75
RETRANSMIT_TICKS: Final = (3, 6)
FAIL_TICK: Final = 10

HELP_AFTER_S: Final = 0.5
"""A node that has not answered by then may sit behind a NAT: its referrer is asked for help."""

IN_FLIGHT_MAX: Final = 16
"""With so many requests under way, and the rate below, others have to wait."""

RATE_MAX: Final = 50.0
"""Requests a second above which they wait while IN_FLIGHT_MAX are under way."""

RATE_WINDOW_S: Final = 5.0
RATE_SLOT_S: Final = 0.25

WAITING_MAX: Final = 4096
"""Requests that may wait; a caller who wants still more is refused."""


class Randomness(TokenRandomness, Protocol):
    """What of `random.Random` a node uses."""

    def randrange(self, stop: int, /) -> int:
        """A number from 0 to below ``stop``."""

    def uniform(self, a: float, b: float, /) -> float:
        """A number between the two."""


@dataclass(slots=True)
class Traffic:
    """What an operation has cost so far: requests, datagrams with all repetitions, answers."""

    requests: int = 0
    datagrams: int = 0
    replies: int = 0


@dataclass(slots=True, eq=False)
class Request:
    """One question to one node.

    Attributes:
        message: what is asked; its rid is set when it is sent.
        on_end: called once with the request, the answer or None, who sent it, and the time.
        expected_id: the id of the node that should live at the address, if that is known.
        referrer: who told us of the node, and can help to reach it.
        help_early: ask the referrer for help before the first repetition.
        on_late: called with the request and the time when it is first sent again.
    """

    message: Message
    address: Address
    on_end: Answered
    traffic: Traffic
    expected_id: bytes | None = None
    referrer: Address | None = None
    help_early: bool = True
    on_late: Callable[[Request, float], None] | None = field(default=None, init=False)
    data: bytes = field(default=b"", init=False)
    ticks: int = field(default=0, init=False)
    cancelled: bool = field(default=False, init=False)

    @property
    def is_holepunch(self) -> bool:
        """Whether its answer may come from another address than it was sent to."""
        return self.message.command == HOLEPUNCH


class Requests:
    """All requests of one node.

    Args:
        send: takes a datagram and where it goes.
        on_silent: called with each request that is given up, before its own ``on_end``.
    """

    def __init__(
        self,
        send: Send,
        on_silent: Callable[[Request], None],
        randomness: Randomness,
        now: float,
    ) -> None:
        self._send = send
        self._on_silent = on_silent
        self._rid = randomness.randrange(RID_MAX + 1)
        self._next_tick = now + TICK_S
        self._in_flight: dict[int, Request] = {}
        self._waiting: deque[Request] = deque()
        self._helps: deque[tuple[float, Request]] = deque()
        self._rate = _Rate()

    @property
    def in_flight(self) -> int:
        """How many were sent and not answered yet."""
        return len(self._in_flight)

    # --- sending

    def submit(self, request: Request, now: float) -> None:
        """Send a request, or let it wait for its turn.

        Raises:
            DiscoveryError: too many are waiting.
        """
        if not (self._waiting or self._saturated(now)):
            self.send(request, now)
            return
        if len(self._waiting) >= WAITING_MAX:
            raise DiscoveryError(f"{WAITING_MAX} requests are waiting already")
        self._waiting.append(request)

    def send(self, request: Request, now: float) -> None:
        """Send a request at once, whatever waits."""
        if not self._in_flight:
            self._skip_ticks(now)
        request.message.rid = rid = self._free_rid()
        request.data = encode(request.message)
        request.traffic.requests += 1
        self._in_flight[rid] = request
        self._rate.note(now)
        self._transmit(request)
        if request.referrer is None:
            return
        if request.is_holepunch:
            self._ask_for_help(request)
        if request.help_early:
            self._helps.append((now + HELP_AFTER_S, request))

    def cancel(self, request: Request) -> None:
        """Forget a request; its ``on_end`` is not called."""
        request.cancelled = True
        if self._in_flight.get(request.message.rid) is request:
            del self._in_flight[request.message.rid]

    # --- answers

    def match(self, message: Message, sender: Address) -> Request | None:
        """The request that a response answers.

        Only the node that was asked may answer, so that a forger has to guess more than 16 bits;
        but after a holepunch an answer may come through another port of a NAT.
        """
        request = self._in_flight.get(message.rid)
        if request is None or not (request.is_holepunch or request.address == sender):
            return None
        return request

    def finish(self, request: Request, message: Message, sender: Address, now: float) -> None:
        """Take the answer to a request, and send what had to wait for it."""
        del self._in_flight[request.message.rid]
        request.traffic.replies += 1
        request.on_end(request, message, sender, now)
        self._send_waiting(now)

    # --- time

    def get_timer(self) -> float | None:
        """When `handle_timer` is due."""
        helps = self._helps
        while helps and not self._is_open(helps[0][1]):
            helps.popleft()
        times = [helps[0][0]] if helps else []
        if self._in_flight or self._waiting:
            times.append(self._next_tick)
        return min(times, default=None)

    def handle_timer(self, now: float) -> None:
        """Send again, ask for help, give up; whatever is due.

        One call counts one tick, however late it comes: a machine that was suspended asks again
        instead of giving everybody up.
        """
        while self._helps and self._helps[0][0] <= now:
            request = self._helps.popleft()[1]
            if self._is_open(request):
                self._ask_for_help(request)
        if self._next_tick > now:
            return
        self._skip_ticks(now)
        for request in list(self._in_flight.values()):
            if self._is_open(request):
                self._tick(request, now)
        self._send_waiting(now)

    def _tick(self, request: Request, now: float) -> None:
        repeats = request.ticks + 1 in RETRANSMIT_TICKS
        if repeats and self._saturated(now):
            return  # it stays as old as it is, and comes next time
        request.ticks += 1
        if repeats:
            self._transmit(request)
            if request.referrer is not None:
                self._ask_for_help(request)
            if request.on_late is not None and request.ticks == RETRANSMIT_TICKS[0]:
                request.on_late(request, now)
        elif request.ticks >= FAIL_TICK:
            del self._in_flight[request.message.rid]
            self._on_silent(request)
            request.on_end(request, None, request.address, now)

    def _skip_ticks(self, now: float) -> None:
        if self._next_tick <= now:
            self._next_tick += ((now - self._next_tick) // TICK_S + 1) * TICK_S

    # --- inside

    def _transmit(self, request: Request) -> None:
        request.traffic.datagrams += 1
        self._send(request.data, request.address)

    def _ask_for_help(self, request: Request) -> None:
        """Let the referrer tell the node to answer us, which opens its NAT towards us."""
        referrer, ours = request.referrer, request.message
        assert referrer is not None
        rid = ours.rid if request.is_holepunch else self._free_rid()
        help_ = Message(MessageType.QUERY, rid, to=referrer, id=ours.id, command=HOLEPUNCH)
        help_.value = Holepunch(to=request.address).encode()
        request.traffic.datagrams += 1
        self._send(encode(help_), referrer)

    def _send_waiting(self, now: float) -> None:
        waiting = self._waiting
        while waiting and not self._saturated(now):
            request = waiting.popleft()
            if not request.cancelled:
                self.send(request, now)

    def _saturated(self, now: float) -> bool:
        return len(self._in_flight) >= IN_FLIGHT_MAX and self._rate.per_second(now) >= RATE_MAX

    def _is_open(self, request: Request) -> bool:
        return self._in_flight.get(request.message.rid) is request

    def _free_rid(self) -> int:
        while True:
            rid = self._rid
            self._rid = (rid + 1) % (RID_MAX + 1)
            if rid not in self._in_flight:
                return rid


class _Rate:
    """Requests a second, averaged over the last five, counted in quarters of a second."""

    def __init__(self) -> None:
        self._slots: deque[list[int]] = deque()  # number of the slot, requests in it
        self._total = 0

    def note(self, now: float) -> None:
        slot = int(now // RATE_SLOT_S)
        if not self._slots or self._slots[-1][0] != slot:
            self._slots.append([slot, 0])
        self._slots[-1][1] += 1
        self._total += 1

    def per_second(self, now: float) -> float:
        oldest = (now - RATE_WINDOW_S) // RATE_SLOT_S
        while self._slots and self._slots[0][0] <= oldest:
            self._total -= self._slots.popleft()[1]
        return self._total / RATE_WINDOW_S
