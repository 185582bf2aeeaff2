"""Who is dialled next: all candidates by address, and what is going on with each.

After hyperswarm's lib/queue.js. Unlike there, several dials go on at once, and some go to those
whose turn would come late: to who has answered a datagram, and to the lowest priority.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from hypermultifeed.peers.asking import Asking
from hypermultifeed.peers.backoff import Backoff
from hypermultifeed.peers.candidate import Candidate, State
from hypermultifeed.peers.dial_budget import DIALS_AT_ONCE, DIALS_PER_TOPIC, DialBudget
from hypermultifeed.peers.waiting_list import WaitingList

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from hypermultifeed.peers.candidate import PeerAddress
    from hypermultifeed.peers.turns import Randomness

STABLE_S: Final = 5.0
"""A connection that lived so long was no failure; peers that close at once are dialled less."""

CROWDED_S: Final = 2.0
"""How long connecting, and then the handshake, may take while others wait for the place."""

LOOK_AGAIN_S: Final = 0.25
"""When to look again if those who wait are held back by the budget."""

ASK_ABOVE: Final = 64
"""While more than so many wait, strangers among them are asked whether they are there at all."""

ANSWERED_EVERY: Final = 2
"""Of so many dials one goes to a candidate that has answered, the others to whose turn it is: to
answer is cheap, and must not push out an honest peer that only TCP gets through to."""

PATIENT_EVERY: Final = 8
"""Of so many dials one goes to the lowest priority: slow peers must get a second chance while
thousands of fresh names are waiting."""

CANDIDATES_MAX: Final = 16_384
"""Candidates known at once; a newcomer then replaces one of the largest group."""

BANS_MAX: Final = 4096
"""Banned addresses remembered; then the oldest ban is forgotten."""


class PeerQueue:
    """Candidates of one swarm. Pure: the caller dials, and tells how it went.

    Attributes:
        banned: addresses that are never dialled, oldest first.
    """

    def __init__(self, randomness: Randomness, now: float) -> None:
        self.banned: dict[PeerAddress, None] = {}
        self._budget = DialBudget(now)
        self._asking = Asking(randomness, now)
        self._backoff = Backoff(randomness)
        self._waiting = WaitingList(randomness)
        self._candidates: dict[PeerAddress, Candidate] = {}
        self._dialling: dict[Candidate, None] = {}
        self._taken = 0
        self._topics: dict[bytes, int] = {}  # and how many of each are untried

    # --- candidates

    def __len__(self) -> int:
        return len(self._candidates)

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self._candidates.values())

    def get(self, address: PeerAddress) -> Candidate | None:
        """The candidate at an address, if it is known."""
        return self._candidates.get(address)

    def join(self, topic: bytes) -> None:
        """From now on candidates of this topic are taken."""
        self._topics.setdefault(topic, 0)

    def leave(self, topic: bytes) -> None:
        """Forget those that were found for this topic only; connections stay."""
        if self._topics.pop(topic, None) is None:
            return
        for candidate in self._waiting.remove(topic):
            if candidate.state is State.WAITING:
                candidate.topics.discard(topic)
                self._wait_or_forget(candidate)
        for candidate in list(self._candidates.values()):
            candidate.topics.discard(topic)
            if candidate.state in (State.RESTING, State.PARKED) and not candidate.is_wanted:
                self._forget(candidate)

    def untried(self, topic: bytes) -> int:
        """How many candidates of a topic no dial has ended for."""
        return self._topics.get(topic, 0)

    def add(
        self,
        address: PeerAddress,
        now: float,
        *,
        topic: bytes | None = None,
        source: Hashable = None,
        local: bool = False,
        hairpin: bool = False,
        pinned: bool = False,
    ) -> bool:
        """Take a candidate, or note that one is for another topic, too.

        Args:
            address: host and port; the caller has checked that it may be dialled.
            now: seconds, monotonic.
            topic: what it was found for; ignored unless joined.
            source: who told of it; None: one whose word is not limited to a few per network.
            local: it was found on this network.
            hairpin: it has our own public address.
            pinned: the user named it: it needs no topic, is dialled at once and never given up.

        Returns:
            Whether this was news.
        """
        if address in self.banned or not (pinned or topic in self._topics):
            return False
        candidate = self._candidates.get(address)
        if candidate is None:
            candidate = Candidate(address, source=source, local=local)
            candidate.hairpin = hairpin
            if not pinned and not self._make_room(candidate, topic):
                return False
            self._candidates[address] = candidate
            self._backoff.keep_named(candidate, now)
        candidate.local |= local
        if source is None:
            candidate.source = candidate.block = None
        return self._note(candidate, now, topic=topic, pinned=pinned)

    def _note(self, candidate: Candidate, now: float, *, topic: bytes | None, pinned: bool) -> bool:
        """Add a topic or the user's wish to a candidate; queue it if it is new."""
        news = pinned and not candidate.pinned
        candidate.pinned |= pinned
        if topic is not None and topic in self._topics and topic not in candidate.topics:
            news = True
            candidate.topics.add(topic)
            self._topics[topic] += not candidate.tried
        if candidate.state is State.FORGOTTEN:
            candidate.since = now
            self._wait(candidate)
        elif pinned and candidate.state is State.RESTING:
            candidate.failures = 0
            self._wait(candidate)
        return news

    def ban(self, address: PeerAddress) -> None:
        """Never dial this address again; a dial or connection that is there is the caller's."""
        self.banned.pop(address, None)
        self.banned[address] = None
        if len(self.banned) > BANS_MAX:
            del self.banned[next(iter(self.banned))]
        candidate = self._candidates.get(address)
        if candidate is not None:
            candidate.pinned = False
            if candidate.state not in (State.DIALLING, State.CONNECTED):
                self._forget(candidate)

    # --- dialling

    def next(self, now: float) -> Candidate | None:
        """Take who is to be dialled now; tell with `greeted` and `ended` how it goes."""
        self._wake(now)
        if not self._budget.allows(now):
            return None
        while (candidate := self._take(now)) is not None:
            if candidate.state is State.WAITING and candidate.is_wanted:
                self._begin(candidate, now)
                return candidate
        return None

    def next_to_ask(self, now: float) -> Candidate | None:
        """Take who is to be asked now whether it is there; tell with `replied` if it is.

        None as long as few wait: they are dialled as fast.
        """
        if self.waiting <= ASK_ABOVE:
            self._asking.end()
        elif not self._asking.active:
            self._asking.begin(self._waiting.strangers())
        return self._asking.next(now)

    def replied(self, candidate: Candidate) -> None:
        """It has answered a datagram: it is dialled soon."""
        self._asking.answered(candidate)

    @property
    def waiting(self) -> int:
        """How many could be dialled if the budget allowed it."""
        return len(self._waiting)

    @property
    def dialling(self) -> int:
        """Dials under way, handshakes included."""
        return len(self._dialling)

    def connected(self, candidate: Candidate, now: float) -> None:
        """The connection stands; the handshake begins."""
        candidate.since = now
        self.answered(candidate)

    def answered(self, candidate: Candidate) -> None:
        """The network to it is whole: if there is no peer now, there is no use in patience."""
        if not candidate.proven:
            self._backoff.keep_no_longer(candidate)

    def greeted(self, candidate: Candidate, now: float) -> None:
        """The peer at the other end has proven its key."""
        if candidate.state is State.DIALLING:
            self.answered(candidate)
            self._end_dial(candidate, succeeded=True)
            candidate.state = State.CONNECTED
            candidate.since = now
            candidate.proven = True

    def ended(self, candidate: Candidate, now: float) -> None:
        """The dial failed, or the connection is over; it is tried again later.

        To be called once for each dial, however it ended.

        A connection that was useful is taken up again at once, and one that was not counts as a
        failure; if nobody judged it, its age decides.
        """
        useful, candidate.useful = candidate.useful, None
        candidate.is_over = True
        if candidate.state is State.CONNECTED:
            if useful is None:
                useful = now - candidate.since >= STABLE_S
            if useful:
                self._backoff.keep_useful(candidate, now)
            self._rest(candidate, now, shortly=useful)
        elif candidate.state is State.DIALLING:
            self._end_dial(candidate, succeeded=False)
            self._rest(candidate, now, shortly=False)
        elif candidate.state is State.PARKED and candidate.is_released:
            self._rest(candidate, now, shortly=True)

    def park(self, candidate: Candidate) -> None:
        """Another connection to the same peer stays; this address rests until `unpark`."""
        if candidate.state is State.DIALLING:
            self._end_dial(candidate, succeeded=True)
        if candidate.state is not State.FORGOTTEN:
            candidate.proven = True
            candidate.is_released = False
            candidate.state = State.PARKED

    def unpark(self, candidate: Candidate, now: float) -> None:
        """The other connection is over."""
        useful, candidate.useful = candidate.useful, None
        if candidate.state is not State.PARKED:
            return
        if useful:
            self._backoff.keep_useful(candidate, now)
        candidate.is_released = True
        if candidate.is_over:  # else when it is
            self._rest(candidate, now, shortly=True)

    def overdue(self, now: float, places: int = DIALS_AT_ONCE) -> list[Candidate]:
        """Dials that take long while others wait for their place; the caller ends them.

        Those that have not ended after the same time again are named again.

        Args:
            now: as always.
            places: how many dials the caller lets go on at once.
        """
        self._wake(now)
        if not self._is_crowded(places):
            return []
        late = [one for one in self._dialling if now >= one.since + CROWDED_S]
        for one in late:
            one.since = now
        return late

    def get_timer(self, now: float, places: int = DIALS_AT_ONCE) -> float | None:
        """When to call `next` and `overdue` again, unless something happens before."""
        rested = self._backoff.next_time
        times = [] if rested is None else [rested]
        if self._is_crowded(places):
            times.append(min(one.since for one in self._dialling) + CROWDED_S)
        may_begin = self.dialling < places and not self._budget.is_full
        may_ask = self._asking.unasked > 0 and self.waiting > ASK_ABOVE
        if may_ask or (self.waiting and may_begin):
            times.append(now + LOOK_AGAIN_S)
        return min(times, default=None)

    # --- inside

    def _is_crowded(self, places: int) -> bool:
        return self.dialling >= min(places, DIALS_PER_TOPIC) and self.waiting > 0

    def _take(self, now: float) -> Candidate | None:
        self._taken += 1
        may = partial(self._budget.allows_path, now=now)
        if self._taken % ANSWERED_EVERY == 1:
            answered = self._asking.take(may)
            if answered is not None:
                self._waiting.discard(answered)
                return answered
        return self._waiting.take(may, lowest_first=self._taken % PATIENT_EVERY == 0)

    def _begin(self, candidate: Candidate, now: float) -> None:
        candidate.state = State.DIALLING
        candidate.is_over = False
        candidate.since = now
        self._dialling[candidate] = None
        self._budget.begin(*candidate.charged, now)

    def _end_dial(self, candidate: Candidate, *, succeeded: bool) -> None:
        del self._dialling[candidate]
        self._budget.end(*candidate.charged, succeeded=succeeded)
        self._tried(candidate)

    def _tried(self, candidate: Candidate) -> None:
        """Nobody waits for the first dial of this candidate any longer."""
        if not candidate.tried:
            candidate.tried = True
            for topic in candidate.topics:
                self._topics[topic] -= 1

    def _wait(self, candidate: Candidate) -> None:
        candidate.state = State.WAITING
        self._waiting.add(candidate)
        self._asking.add(candidate)

    def _wait_or_forget(self, candidate: Candidate) -> None:
        if candidate.is_wanted:
            self._wait(candidate)
        else:
            self._forget(candidate)

    def _rest(self, candidate: Candidate, now: float, *, shortly: bool) -> None:
        if candidate.address in self.banned or not candidate.is_wanted:
            self._forget(candidate)
        elif shortly:
            self._backoff.rest_shortly(candidate, now)
        else:
            self._backoff.rest(candidate, now)

    def _wake(self, now: float) -> None:
        """Those whose time has come wait for their turn, or are forgotten."""
        for candidate in self._backoff.rested(now):
            if self._backoff.gives_up(candidate, now):
                self._forget(candidate)
            else:
                self._wait_or_forget(candidate)

    def _forget(self, candidate: Candidate) -> None:
        candidate.state = State.FORGOTTEN
        self._tried(candidate)
        self._backoff.keep_no_longer(candidate)
        self._candidates.pop(candidate.address, None)

    def _make_room(self, candidate: Candidate, topic: bytes | None) -> bool:
        """Whether a candidate may be taken; bounds what one source, and all, can cost."""
        if not self._waiting.has_room(candidate, topic):
            return False
        if len(self._candidates) < CANDIDATES_MAX:
            return True
        loser = self._waiting.take_superfluous()
        if loser is not None and loser.state is State.WAITING:
            self._forget(loser)
        return loser is not None
