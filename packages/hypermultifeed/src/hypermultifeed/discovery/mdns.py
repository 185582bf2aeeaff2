"""LAN discovery: when to ask, when to answer, and which peers to believe in. Pure.

The order of events is @hyperswarm/discovery's: a topic that looks for peers asks at once and then
every 30 to 60 seconds, one that is announced says so at once, and whoever asks for it is answered.
Nothing is sent on leaving. Beyond JavaScript, with packets that it reads like any other:

* the first question and the first announcement are repeated twice within a second, because
  multicast is not acknowledged and Wi-Fi loses it; so two peers find each other within a second
  of the later one's joining, also when packets are lost;
* the same is done again when the machine gets another network (`Mdns.network_changed`).

Anybody on the network can send anything, in any name. So what is read, answered and reported is
limited per second, and the limits are the same for honest and hostile.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from hypermultifeed.discovery import mdns_packets as packets
from hypermultifeed.discovery.addresses import PORT_MAX, Address, may_dial
from hypermultifeed.discovery.mdns_topic import Topic
from hypermultifeed.discovery.quota import Quota
from hypermultifeed.errors import DiscoveryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hypermultifeed.discovery.mdns_topic import Randomness

SENDS_PER_S: Final = 64
"""Most answers, and most questions, in a second, so that nobody can make us flood a network."""

READS_PER_S: Final = 128
"""Most packets about our topics that are parsed in a second; each costs up to a millisecond."""

READS_PER_SOURCE_PER_S: Final = 64
"""Most of them from one address, so that one loud neighbour does not drown the others."""

_QUERY_AT: Final = attrgetter("query_at")
_ANSWER_AT: Final = attrgetter("answer_at")


class LanPeer(NamedTuple):
    """A peer of ``topic`` said to be at ``address``; whether that is so, only a dial can tell."""

    topic: bytes
    address: Address


@dataclass(slots=True)
class LanStats:
    """Counts since the start.

    Attributes:
        packets_received: on the multicast group, other mDNS included.
        packets_refused: about our topics, from an address that is not on a local network.
        packets_limited: about our topics, and not read because there were too many.
        packets_malformed: about our topics, but no DNS, or beyond the limits of a packet.
        queries_sent: questions.
        answers_sent: answers and announcements.
        peers_found: peers reported.
    """

    packets_received: int = 0
    packets_refused: int = 0
    packets_limited: int = 0
    packets_malformed: int = 0
    queries_sent: int = 0
    answers_sent: int = 0
    peers_found: int = 0


class Mdns:
    """LAN discovery of one peer for all its topics.

    Args:
        randomness: for its id and the times of its questions.
        allow_loopback: whether peers at 127.0.0.0/8 are reported.

    Attributes:
        stats: counts.
    """

    def __init__(self, *, randomness: Randomness, allow_loopback: bool = False) -> None:
        self.stats = LanStats()
        self._randomness = randomness
        self._allow_loopback = allow_loopback
        self._id = randomness.randbytes(packets.ID_BYTES)
        self._topics: dict[bytes, Topic] = {}
        self._labels: defaultdict[bytes, list[Topic]] = defaultdict(list)
        self._reads = Quota(1.0, READS_PER_SOURCE_PER_S, READS_PER_S)
        self._queries = Quota(1.0, SENDS_PER_S, SENDS_PER_S)
        self._answers = Quota(1.0, SENDS_PER_S, SENDS_PER_S)
        self._outgoing: list[bytes] = []
        self._wake_at = inf

    # -- what the user wants -------------------------------------------------------------------

    def join(self, topic: bytes, port: int, now: float, *, announce: bool, lookup: bool) -> None:
        """Announce a topic, look for its peers, or both; joining again changes that.

        Args:
            topic: at least 20 bytes.
            port: TCP port on which its peers are served; of no use without ``announce``.
            now: seconds on a clock that never goes back.
            announce: whether others may find us.
            lookup: whether we find others.

        Raises:
            ValueError: there is no such port to announce.
        """
        if announce and not 0 < port <= PORT_MAX:
            raise ValueError(f"port {port} cannot be announced")
        self.leave(topic)
        joined = Topic(topic, packets.topic_label(topic), port, announce, lookup)
        joined.start(now)
        self._wake_at = now
        self._topics[topic] = joined
        self._labels[joined.label].append(joined)

    def leave(self, topic: bytes) -> None:
        """Forget a topic; nothing is sent, others notice when they dial."""
        left = self._topics.pop(topic, None)
        if left is None:
            return
        self._labels[left.label].remove(left)
        if not self._labels[left.label]:
            del self._labels[left.label]

    def network_changed(self, now: float) -> None:
        """Ask and announce anew: there is a network that has heard nothing yet."""
        self._wake_at = now
        for topic in self._topics.values():
            topic.start(now)

    # -- what the network says -----------------------------------------------------------------

    def receive_datagram(self, data: bytes, source: str, now: float) -> list[LanPeer]:
        """Take a packet of the group that came from IPv4 address ``source``; return new peers."""
        self.stats.packets_received += 1
        if len(data) > packets.PACKET_BYTES_MAX or not self._is_about_us(data):
            return []
        if self._id in data:
            return []  # our own answer: the group sends us what we send
        if not may_dial(source, local=True, allow_loopback=self._allow_loopback):
            self.stats.packets_refused += 1
            return []
        if not self._reads.allow(source, now):
            self.stats.packets_limited += 1
            return []
        try:
            packet = packets.decode(data)
        except DiscoveryError:
            self.stats.packets_malformed += 1
            return []
        for topic in self._named(packet.asked):
            topic.ask(source, now)
            self._wake_at = min(self._wake_at, topic.answer_at)
        self.handle_timer(now)
        return self._find(packet.offers, source, now)

    def _is_about_us(self, data: bytes) -> bool:
        return any(label in self._labels for label in packets.labels_in(data))

    def _named(self, labels: Iterable[bytes]) -> Iterator[Topic]:
        for label in labels:
            yield from self._labels.get(label, ())

    def _find(self, offers: list[packets.Offer], source: str, now: float) -> list[LanPeer]:
        found = []
        for offer in offers:
            address = Address(source, offer.port)
            found += [
                LanPeer(topic.key, address)
                for topic in self._named([offer.label])
                if topic.lookup and topic.reports.is_new(address, now)
            ]
        self.stats.peers_found += len(found)
        return found

    # -- what we say ---------------------------------------------------------------------------

    def get_timer(self) -> float | None:
        """When there is something to do next; None if there never is."""
        return None if self._wake_at == inf else self._wake_at

    def handle_timer(self, now: float) -> None:
        """Ask and answer what is due; to be called at the time of `get_timer`."""
        if now < self._wake_at:
            return
        self._query(now)
        self._answer(now)
        query_at = max(self._soonest(_QUERY_AT), self._queries.renewed_at)
        answer_at = max(self._soonest(_ANSWER_AT), self._answers.renewed_at)
        self._wake_at = min(query_at, answer_at)

    def _query(self, now: float) -> None:
        for topic in self._due(_QUERY_AT, now):
            if not self._queries.allow("", now):
                break
            self._outgoing.append(packets.encode_query(topic.label))
            topic.queried(now, self._randomness)
            self.stats.queries_sent += 1

    def _answer(self, now: float) -> None:
        for topic in self._due(_ANSWER_AT, now):
            if not self._answers.allow("", now):
                break
            answer = packets.encode_answer(topic.label, topic.port, self._id, topic.asker)
            self._outgoing.append(answer)
            topic.answered(now)
            self.stats.answers_sent += 1

    def _due(self, at: Callable[[Topic], float], now: float) -> list[Topic]:
        """Topics whose time has come; who waits longest comes first."""
        return sorted((topic for topic in self._topics.values() if at(topic) <= now), key=at)

    def _soonest(self, at: Callable[[Topic], float]) -> float:
        return min(map(at, self._topics.values()), default=inf)

    def datagrams_to_send(self) -> list[bytes]:
        """Take what is to be sent to the group, on every interface."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing
