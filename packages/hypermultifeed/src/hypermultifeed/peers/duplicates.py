"""Which of several connections between two keys stays.

Two peers that dial each other end up with two connections, and both ends must drop the same one.
hyperswarm 2 (lib/queue.js, deduplicate): the connection that the side with the smaller public key
initiated stays. Of two with the same initiator the newer stays if that side's key is the smaller
one, else the older. Only the side that dialled the loser closes it; the other waits for that.

One key on two devices (a folder that was copied) looks like a duplicate, too, yet both are to be
served. What tells them apart is that a device sees only its own connections, so:

* Two connections that the peer dialled are left to the peer: if they end in one process, it
  closes one.
* Two that we dialled lead to one process if they lead to one port number (on one machine two
  processes have two ports; one process has the same on each of its addresses), else to two.
* One in each direction belongs to one process if the remote host is the same, else to two.

Where this errs, a peer with several addresses keeps two connections, which costs a little
traffic; nobody stays unserved.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Generic, TypeVar

C = TypeVar("C")

CONNECTIONS_PER_KEY: Final = 4
"""Connections with one remote key: devices that share it, and races. Else one key that dials
again and again could take every place."""


class Verdict(Enum):
    """What is to become of a connection whose keys are known now."""

    KEEP = auto()
    CONTESTED = auto()
    """The peer dialled a duplicate, and will close it; if it does not, it is another device."""
    DUPLICATE = auto()
    """We dialled a duplicate, and have to close it."""
    OURSELVES = auto()
    TOO_MANY = auto()


@dataclass(frozen=True, slots=True)
class Judgement(Generic[C]):
    """A verdict on a connection.

    Attributes:
        winner: the connection that stays instead of a duplicate.
        losers: connections that were there, that we dialled, and have to close now.
    """

    verdict: Verdict
    winner: C | None = None
    losers: list[C] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Known(Generic[C]):
    connection: C
    initiator: bool
    host: str
    port: int


class Duplicates(Generic[C]):
    """The authenticated connections of one swarm."""

    __slots__ = ("_by_key",)

    def __init__(self) -> None:
        self._by_key: dict[bytes, list[_Known[C]]] = {}

    def identify(
        self,
        connection: C,
        own_key: bytes,
        remote_key: bytes,
        *,
        initiator: bool,
        address: tuple[str, int],
    ) -> Judgement[C]:
        """Judge a connection after its handshake.

        Args:
            connection: anything; it is told apart by identity.
            own_key: our public key. remote_key: the peer's.
            initiator: whether we dialled.
            address: remote host and port.
        """
        if own_key == remote_key:
            return Judgement(Verdict.OURSELVES)
        known = self._by_key.setdefault(remote_key, [])
        new = _Known(connection, initiator, *address)
        losers = []
        verdict = Verdict.KEEP
        for old in known:
            if not _same_process(old, new):
                continue
            if _newer_stays(new, smaller=own_key < remote_key):
                losers += [old.connection] if old.initiator else []
            elif initiator:
                return Judgement(Verdict.DUPLICATE, winner=old.connection)
            else:
                verdict = Verdict.CONTESTED
        if len(known) - len(losers) >= CONNECTIONS_PER_KEY:
            return Judgement(Verdict.TOO_MANY)
        known.append(new)
        return Judgement(verdict, losers=losers)

    def closed(self, connection: C, remote_key: bytes) -> None:
        """Forget a connection; one that is not known is none's loss."""
        known = self._by_key.get(remote_key, [])
        known[:] = [one for one in known if one.connection is not connection]
        if not known:
            self._by_key.pop(remote_key, None)

    def __len__(self) -> int:
        """How many keys are connected."""
        return len(self._by_key)


def _same_process(old: _Known[C], new: _Known[C]) -> bool:
    """Whether two connections with one key end in one process, as far as we can see."""
    if old.initiator and new.initiator:
        return old.port == new.port
    if not old.initiator and not new.initiator:
        return False
    return old.host == new.host


def _newer_stays(new: _Known[C], *, smaller: bool) -> bool:
    """Whether the side with the smaller key dialled the newer one; ``smaller``: that is us."""
    return new.initiator == smaller
