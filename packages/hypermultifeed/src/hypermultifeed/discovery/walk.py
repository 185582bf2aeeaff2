"""The iterative query: from node to node towards a target, and then perhaps an update there.

As dht-rpc 4 (lib/query-stream.js) does it: up to 16 requests under way, each answer names nodes
that are closer, and the walk is over when the 20 closest have been asked. An update then goes to
each of those that answered, with the token it gave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypermultifeed.discovery.addresses import Contact
from hypermultifeed.discovery.candidates import (
    CLOSEST_MAX,
    Candidate,
    Candidates,
    Closest,
    ClosestNodes,
)
from hypermultifeed.discovery.operations import no_refusal
from hypermultifeed.discovery.query import QUERY, UPDATE, Host, Query, Question, Reply, T
from hypermultifeed.errors import DiscoveryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypermultifeed.discovery.addresses import Address
    from hypermultifeed.discovery.messages import Message
    from hypermultifeed.discovery.requests import Answered, Request

FIND_NODE: Final = "_find_node"

PARALLEL_MAX: Final = 16
"""Requests under way, those of other operations of the node counted too."""

PARALLEL_BACKGROUND_MAX: Final = 2
"""The same for housekeeping while somebody waits for another operation."""

ASKED_MAX: Final = 160
"""Nodes that one walk asks; four times what it takes among a thousand honest ones."""


class Walk(Query[T]):
    """An operation that asks the nodes around a target.

    Args:
        question: what is asked.
        reads: ask it on the way; else the way is found by ``_find_node``, and it is only an update.
        updates: send it as an update to the closest nodes at the end.
        read: gives the result in an answer, if there is one.
        refusal: gives the error that ends the operation if an answer carries one.
        first: end with the first result.
        background: nobody waits for it.

    Attributes:
        stored: how many nodes took the update.
    """

    def __init__(
        self,
        host: Host,
        question: Question,
        *,
        read: Callable[[Reply], T | None],
        reads: bool = True,
        updates: bool = False,
        refusal: Callable[[Reply], DiscoveryError | None] = no_refusal,
        first: bool = False,
        background: bool = False,
    ) -> None:
        super().__init__(host)
        assert question.target is not None
        self.stored = 0
        self._target = question.target
        self._question = question if reads else Question(FIND_NODE, question.target)
        self._update = question
        self._updates = updates
        self._reads = reads
        self._read = read
        self._refusal = refusal
        self._first = first
        self._background = background
        self._needy = False
        self._asked = 0
        self._refused: str | None = None
        self._candidates = Candidates(host.id, self._target)
        self._closest = ClosestNodes(host.id, self._target)
        self._to_update: list[Closest] | None = None

    def start(self, now: float) -> None:
        """Send the first requests."""
        known = self._host.closest(self._target)
        for node in known:
            self._candidates.add(node.contact, None)
        if len(known) < len(self._host.bootstrap):
            for address in self._host.bootstrap:
                self._ask(address, None, now)
        self._ask_candidates(now)
        if not self._open:
            self._host.soon(self._advance)

    def _advance(self, now: float) -> None:
        """Send what can be sent; once nothing is under way any more, go on or end."""
        if self.done:
            return
        if self._to_update is None:
            self._ask_candidates(now)
            if not self._open and self._updates:
                self._to_update = self._closest.nodes()
        if self._to_update is not None:
            self._send_updates(self._to_update, now)
        if not self._open:
            self._end()

    def _end(self) -> None:
        if not self.traffic.replies:
            self.fail(DiscoveryError("no node answered"))
        elif self._updates and not self.stored:
            why = f": {self._refused}" if self._refused else ""
            self.fail(DiscoveryError(f"no node took it{why}"))
        else:
            self.finish()

    # --- the way

    def _ask_candidates(self, now: float) -> None:
        while self._has_room() and self._asked < ASKED_MAX:
            candidate = self._next()
            if candidate is None:
                return
            self._candidates.asked(candidate)
            if not self._ask(candidate.contact.address, candidate, now):
                self._candidates.failed(candidate)

    def _next(self) -> Candidate | None:
        """Whom to ask; where too few answer, even those that were named by the unbelievable."""
        candidate = self._candidates.next()
        if candidate is None and not self._open:
            self._needy = len(self._closest) < CLOSEST_MAX
        if candidate is None and self._needy:
            candidate = self._candidates.next(believe=True)
        return candidate

    def _ask(self, address: Address, candidate: Candidate | None, now: float) -> bool:
        self._asked += 1
        if candidate is None:
            return self._send(self._question, address, self._on_answer, now)
        return self._send(
            self._question,
            address,
            self._on_answer,
            now,
            expected_id=candidate.contact.id,
            referrer=candidate.referrer,
            candidate=candidate,
        )

    def _on_answer(
        self, request: Request, message: Message | None, sender: Address, now: float
    ) -> None:
        candidate = self._open.pop(request)
        if message is not None:
            self._note(candidate, message, sender)
            for contact in message.closer_nodes or ():
                self._candidates.add(contact, sender)
            if self._reads:
                self._give(Reply.of(QUERY, message, sender))
        elif candidate is not None:
            self._candidates.failed(candidate)
        self._advance(now)

    def _on_late(self, request: Request, now: float) -> None:
        candidate = self._open[request]
        assert candidate is not None
        self._candidates.late(candidate)
        self._ask_candidates(now)

    def _note(self, candidate: Candidate | None, message: Message, sender: Address) -> None:
        """Judge who answered: is it the node it was said to be, and one that can store?"""
        node_id, token = message.sender_id, message.roundtrip_token
        if candidate is not None:
            if node_id == candidate.contact.id:
                self._candidates.answered(candidate)
            else:
                self._candidates.failed(candidate)
        if node_id is not None and token is not None:
            referrer = None if candidate is None else candidate.referrer
            self._closest.add(Contact(node_id, sender), token, referrer)

    # --- the update

    def _send_updates(self, pending: list[Closest], now: float) -> None:
        while pending and self._has_room():
            node = pending.pop(0)
            self._send(
                self._update._replace(token=node.token),
                node.contact.address,
                self._on_updated,
                now,
                expected_id=node.contact.id,
                referrer=node.referrer,
                help_early=False,
            )

    def _on_updated(
        self, request: Request, message: Message | None, sender: Address, now: float
    ) -> None:
        del self._open[request]
        if message is not None:
            reply = Reply.of(UPDATE, message, sender)
            self.stored += reply.error is None
            self._give(reply)
        self._advance(now)

    # --- both

    def _give(self, reply: Reply) -> None:
        self._refused = reply.error or self._refused
        error = self._refusal(reply)
        if error is not None:
            self.fail(error)
            return
        result = self._read(reply)
        if result is not None:
            self.on_reply(result)
            if self._first:
                self.finish()

    def _has_room(self) -> bool:
        if self._background and self._host.running > 1:
            limit = PARALLEL_BACKGROUND_MAX
        else:
            limit = PARALLEL_MAX
        return not self._open or self._host.in_flight < limit

    def _send(
        self,
        question: Question,
        address: Address,
        on_end: Answered,
        now: float,
        *,
        candidate: Candidate | None = None,
        expected_id: bytes | None = None,
        referrer: Address | None = None,
        help_early: bool = True,
    ) -> bool:
        """Send a request; False if the node has too many."""
        try:
            request = self._host.request(
                question,
                address,
                on_end,
                self.traffic,
                now,
                expected_id=expected_id,
                referrer=referrer,
                help_early=help_early,
            )
        except DiscoveryError:
            return False
        self._open[request] = candidate
        if candidate is not None:
            request.on_late = self._on_late
        return True
