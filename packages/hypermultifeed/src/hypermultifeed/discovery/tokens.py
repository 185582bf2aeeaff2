"""Round-trip tokens: who asks for a change must have received an answer at its address before.

So nobody can store records in another's name by forging the source of a datagram (BEP 5, and
dht-rpc's io.js). A token is a hash, so nothing is kept for those who hold one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from hypermultifeed import crypto

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    _T = TypeVar("_T")

ROTATION_S: Final = 300.0
"""Seconds between two secrets. The one before is still taken: a token lives 5 to 10 minutes."""

_SECRET_BYTES: Final = 32


class Randomness(Protocol):
    """What is used of :class:`random.Random`: seeded in tests, the system's at the edge."""

    def randbytes(self, n: int) -> bytes:
        """``n`` bytes."""

    def sample(self, population: Sequence[_T], k: int) -> list[_T]:
        """``k`` different ones, in random order."""


class Tokens:
    """Makes and checks the tokens of one node.

    Args:
        randomness: where the secrets come from.
        now: seconds on a clock that never goes back.
    """

    __slots__ = ("_current", "_previous", "_randomness", "_since")

    def __init__(self, randomness: Randomness, now: float) -> None:
        self._randomness = randomness
        self._current = randomness.randbytes(_SECRET_BYTES)
        self._previous = randomness.randbytes(_SECRET_BYTES)
        self._since = now

    def create(self, host: str, now: float) -> bytes:
        """The token, 32 bytes, of whoever asks from ``host``, whatever the port."""
        self._rotate(now)
        return _token(self._current, host)

    def verify(self, host: str, token: bytes | None, now: float) -> bool:
        """Whether ``token`` was made here for ``host``, not too long ago."""
        if token is None:
            return False
        self._rotate(now)
        return crypto.equal(token, _token(self._current, host)) or crypto.equal(
            token, _token(self._previous, host)
        )

    def _rotate(self, now: float) -> None:
        periods = int((now - self._since) // ROTATION_S)
        self._since += periods * ROTATION_S
        for _ in range(min(periods, 2)):
            self._previous = self._current
            self._current = self._randomness.randbytes(_SECRET_BYTES)


def _token(secret: bytes, host: str) -> bytes:
    return crypto.blake2b_256(secret + host.encode())
