"""What a node keeps for others: the peers of topics, for minutes, and values, the latest used.

Both are bounded as a whole and for each host, so that no host can crowd out the others: a host
is who proved with a token that it receives what is sent to its address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

    from hypermultifeed.discovery.tokens import Randomness

_V = TypeVar("_V")

GENERATION_S: Final = 480.0
"""Seconds a generation of records is the fresh one: records live for 8 to 16 minutes, as in JS."""

GENERATION_RECORDS_MAX: Final = 32_768
"""Most records in a generation: 65,536 in both, as many as JS keeps fresh."""

HOST_RECORDS_MAX: Final = 1024
"""Most records of one host in a generation: a peer has one or two for each of its topics."""

TOPIC_RECORDS_MAX: Final = 1024
"""Most records of one topic in a generation: an answer has 128, and the newest are the best."""

TOPIC_HOST_RECORDS_MAX: Final = 64
"""Most records of one host in one topic: a network behind one address, but half an answer."""

VALUES_MAX: Final = 5000
"""Most values in a store, each of about a kilobyte at most."""

HOST_VALUES_MAX: Final = 500
"""Most values of one host: the next one takes the place of its own oldest."""


class PeerStore:
    """Records under keys, in two generations: the fresh one, and the one before.

    Adding a record again makes it fresh. When a generation is full or old enough it becomes the
    one before, and what that held is forgotten (npm's record-cache).

    A record belongs to the host that first announced it, and only that host can take it back.

    Args:
        randomness: picks the records of an answer.
        now: seconds on a clock that never goes back.
    """

    def __init__(self, randomness: Randomness, now: float) -> None:
        self._randomness = randomness
        self._fresh = _Generation()
        self._stale = _Generation()
        self._since = now

    def __len__(self) -> int:
        return self._fresh.size + self._stale.size

    def add(self, key: bytes, record: bytes, host: str, now: float) -> bool:
        """Keep ``record`` under ``key`` for ``host``; false if the host has too many already."""
        self._rotate(now)
        if self._fresh.size >= GENERATION_RECORDS_MAX:
            self._turn()
            self._since = now
        owner = self._fresh.owner(key, record) or self._stale.owner(key, record) or host
        if not self._fresh.has_room(key, record, owner):
            return False
        self._stale.discard(key, record)
        self._fresh.add(key, record, owner)
        return True

    def remove(self, key: bytes, record: bytes, host: str, now: float) -> None:
        """Forget ``record`` if ``host`` had announced it."""
        self._rotate(now)
        for generation in (self._fresh, self._stale):
            if generation.owner(key, record) == host:
                generation.discard(key, record)

    def sample(self, key: bytes, count: int, now: float, *, without: bytes) -> list[bytes]:
        """Up to ``count`` records of ``key`` in random order, but not the one of the asker."""
        self._rotate(now)
        fresh, stale = self._fresh.topics.get(key, {}), self._stale.topics.get(key, {})
        records = [record for topic in (fresh, stale) for record in topic if record != without]
        return self._randomness.sample(records, min(count, len(records)))

    def _rotate(self, now: float) -> None:
        periods = int((now - self._since) // GENERATION_S)
        self._since += periods * GENERATION_S
        for _ in range(min(periods, 2)):
            self._turn()

    def _turn(self) -> None:
        self._stale = self._fresh
        self._fresh = _Generation()


class _Generation:
    """Records by key, in the order of their announcements, each with the host it belongs to."""

    __slots__ = ("hosts", "size", "topics")

    def __init__(self) -> None:
        self.topics: dict[bytes, dict[bytes, str]] = {}
        self.hosts: dict[str, int] = {}
        self.size = 0

    def owner(self, key: bytes, record: bytes) -> str | None:
        topic = self.topics.get(key)
        return None if topic is None else topic.get(record)

    def has_room(self, key: bytes, record: bytes, host: str) -> bool:
        return self.hosts.get(host, 0) < HOST_RECORDS_MAX or record in self.topics.get(key, ())

    def add(self, key: bytes, record: bytes, host: str) -> None:
        self.discard(key, record)
        topic = self.topics.get(key, {})
        if len(topic) >= TOPIC_HOST_RECORDS_MAX:
            own = [other for other, owner in topic.items() if owner == host]
            if len(own) >= TOPIC_HOST_RECORDS_MAX:
                self.discard(key, own[0])
            elif len(topic) >= TOPIC_RECORDS_MAX:
                self.discard(key, next(iter(topic)))
        self.topics.setdefault(key, topic)[record] = host
        self.hosts[host] = self.hosts.get(host, 0) + 1
        self.size += 1

    def discard(self, key: bytes, record: bytes) -> None:
        topic = self.topics.get(key)
        host = None if topic is None else topic.pop(record, None)
        if host is None:
            return
        if not topic:
            del self.topics[key]
        self.size -= 1
        self.hosts[host] -= 1
        if not self.hosts[host]:
            del self.hosts[host]


class ValueStore(Generic[_V]):
    """The values used last, up to :data:`VALUES_MAX`, and of one host :data:`HOST_VALUES_MAX`.

    A value belongs to the host that first stored it. What is put here has been checked.
    """

    def __init__(self) -> None:
        self._values: dict[Hashable, tuple[_V, str]] = {}
        self._hosts: dict[str, dict[Hashable, None]] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable) -> _V | None:
        """The value under ``key``, which is thereby used, or None."""
        if key not in self._values:
            return None
        value, host = self._values.pop(key)
        self._values[key] = value, host
        self._touch(host, key)
        return value

    def put(self, key: Hashable, value: _V, host: str) -> None:
        """Keep ``value`` under ``key`` for ``host``."""
        if key in self._values:
            host = self._values.pop(key)[1]
        elif len(self._hosts.get(host, ())) >= HOST_VALUES_MAX:
            self._drop(next(iter(self._hosts[host])))
        elif len(self._values) >= VALUES_MAX:
            self._drop(next(iter(self._values)))
        self._values[key] = value, host
        self._touch(host, key)

    def _touch(self, host: str, key: Hashable) -> None:
        keys = self._hosts.setdefault(host, {})
        keys.pop(key, None)
        keys[key] = None

    def _drop(self, key: Hashable) -> None:
        host = self._values.pop(key)[1]
        del self._hosts[host][key]
        if not self._hosts[host]:
            del self._hosts[host]
