"""Finding the peers of one topic, again and again: the DHT's rounds, and the LAN.

A round looks up or announces a topic in the DHT; between two rounds lie 300 to 600 seconds, as
in @hyperswarm/discovery 2. Where a round found nobody, some quick ones follow first: two people
who start at the same time are not to wait for five minutes.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from hypermultifeed.errors import ClosedError, DiscoveryError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import TracebackType

    from hypermultifeed.discovery.addresses import Address
    from hypermultifeed.discovery.operations import PeersFound
    from hypermultifeed.errors import HypermultifeedError
    from hypermultifeed.peers.turns import Randomness

ROUND_WAIT_S: Final = (300.0, 600.0)
"""Bounds of the wait after a round, which is drawn anew each time: peers do not move in step."""

QUICK_WAITS_S: Final = (5.0, 15.0, 45.0)
"""Waits after the first rounds as long as they find nobody."""

FAILED_WAIT_S: Final = 5.0
"""Wait after a round in which no node answered: the network is gone, and when it is back we want
to be back, too. Such a round takes 7 s itself."""

LAN_WAIT_S: Final = 0.5
"""How long the first answers from the LAN are waited for, by those who wait for a first round."""

LEAVE_S: Final = 15.0
"""How long taking an announcement back may take: a walk through the DHT, with its retries."""

_log = logging.getLogger("hypermultifeed.swarm")


class Answers(Protocol):
    """The part of `network.dht.Lookup` that is used; leaving its block ends the walk."""

    def __enter__(self) -> AsyncIterator[PeersFound]:
        """The answers."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the walk."""


class Dht(Protocol):
    """The part of `hypermultifeed.network.dht.DhtNode` that is used."""

    def lookup(
        self, topic: bytes, *, port: int | None = None, local_address: Address | None = None
    ) -> Answers:
        """Ask who is there."""

    def announce(
        self, topic: bytes, *, port: int = 0, local_address: Address | None = None
    ) -> Answers:
        """Ask who is there, and say that we are."""

    async def unannounce(
        self, topic: bytes, *, port: int = 0, local_address: Address | None = None
    ) -> None:
        """Take it back."""

    def probe(self, address: Address, on_answer: Callable[[], None]) -> None:
        """Ask by one datagram whether anybody is there."""

    async def bootstrapped(self) -> None:
        """Wait until there is somebody to ask."""


class Lan(Protocol):
    """The part of `hypermultifeed.network.lan.LanDiscovery` that is used."""

    def join(self, topic: bytes, port: int, *, announce: bool, lookup: bool) -> None:
        """Announce, look up, or both, until `leave`."""

    def leave(self, topic: bytes) -> None:
        """Stop that."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a search has to search with; None: it is switched off.

    Attributes:
        dht, lan: where to look.
        port: our TCP port.
        announced_port: what the DHT is told; 0: the port that its datagrams come from.
        local_address: our address on a private network, for peers behind the same router.
        on_found: gets a topic and what was found for it.
    """

    dht: Dht | None
    lan: Lan | None
    port: int
    announced_port: int
    local_address: Address | None
    randomness: Randomness
    on_found: Callable[[bytes, PeersFound], None]


class TopicSearch:
    """The search for the peers of one topic.

    Attributes:
        announce, lookup: what was asked for.
        rounds: rounds of the DHT that have ended.
        error: why the latest round failed; None if it did not.
        peers_named: how often the DHT named a peer, the same one again and again.
    """

    def __init__(self, topic: bytes, means: Means) -> None:
        self.topic = topic
        self.announce = self.lookup = False
        self.rounds = 0
        self.error: HypermultifeedError | None = None
        self.peers_named = 0
        self._means = means
        self._announced = False
        self._named_in_round = False
        self._first_round = asyncio.Event()
        self._again = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, *, announce: bool, lookup: bool, after: asyncio.Future[None] | None) -> None:
        """Begin, or go on with other wishes.

        The same wishes again begin another round at once. An announcement that is not wished any
        more is taken back before the next round, never beside it: else it could arrive last and
        undo the new one.

        Args:
            announce, lookup: at least one.
            after: wait for this first.
        """
        same = (announce, lookup) == (self.announce, self.lookup)
        self.announce, self.lookup = announce, lookup
        means = self._means
        if means.lan is not None:
            means.lan.join(self.topic, means.port, announce=announce, lookup=lookup)
        if same and self._task is not None:
            self._again.set()
            return
        if self._task is not None:
            self._task.cancel()
        before = [one for one in (after, self._task) if one is not None]
        self._task = asyncio.create_task(self._run(before), name="topic search")

    async def stop(self, timeout_s: float = LEAVE_S) -> None:
        """End the search, and take the announcement back; never raises, whoever answers.

        Args:
            timeout_s: how long that may take.
        """
        self._first_round.set()
        if self._means.lan is not None:
            self._means.lan.leave(self.topic)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._unannounce()

    async def first_round(self) -> None:
        """Wait until everybody was asked once, or the search has ended."""
        await self._first_round.wait()

    # --- inside

    async def _run(self, after: list[asyncio.Future[None]]) -> None:
        if after:
            await asyncio.wait(after)
        if not self.announce:
            await self._unannounce()
        lan_answered = asyncio.get_running_loop().time() + LAN_WAIT_S
        while True:
            self._again.clear()
            await self._round()
            if not self._first_round.is_set():
                await self._wait_for_lan(lan_answered)
            if self._means.dht is None:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(self._wait()):
                    await self._again.wait()

    async def _wait_for_lan(self, until: float) -> None:
        if self._means.lan is not None:
            await asyncio.sleep(until - asyncio.get_running_loop().time())
        self._first_round.set()

    def _wait(self) -> float:
        if self.error is not None:
            return FAILED_WAIT_S
        if not self._named_in_round and self.rounds <= len(QUICK_WAITS_S):
            return QUICK_WAITS_S[self.rounds - 1]
        low, high = ROUND_WAIT_S
        return low + (high - low) * self._means.randomness.random()

    async def _round(self) -> None:
        dht, local_address = self._means.dht, self._means.local_address
        port = self._means.announced_port
        if dht is None:
            return
        self._named_in_round = False
        self.error = None
        self._announced |= self.announce
        begin = dht.announce if self.announce else dht.lookup
        try:
            await dht.bootstrapped()
            with begin(self.topic, port=port, local_address=local_address) as answers:
                async for found in answers:
                    self._take(found)
        except (DiscoveryError, ClosedError) as error:  # a shared node may close before we do
            self.error = error
            _log.info("a round of the DHT failed: %s", error)
        self.rounds += 1

    def _take(self, found: PeersFound) -> None:
        count = len(found.peers) + len(found.local_peers)
        self.peers_named += count
        self._named_in_round |= count > 0
        if self.lookup:
            self._means.on_found(self.topic, found)

    async def _unannounce(self) -> None:
        means, dht = self._means, self._means.dht
        if dht is None or not self._announced:
            return
        self._announced = False
        try:
            await dht.unannounce(
                self.topic, port=means.announced_port, local_address=means.local_address
            )
        except (DiscoveryError, ClosedError) as error:
            _log.info("an announcement could not be taken back: %s", error)
