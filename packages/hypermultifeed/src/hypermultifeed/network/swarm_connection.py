"""One connection of a swarm, as the one who uses it sees it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from hypermultifeed.network.listening import is_local

if TYPE_CHECKING:
    from hypermultifeed.peers.candidate import Candidate

SETTLE_S: Final = 2.0
"""How long a peer that dialled a duplicate has to close it, before it counts as another device."""


class Owner(Protocol):
    """The swarm, towards its connections."""

    def identify(self, connection: SwarmConnection, own_key: bytes, remote_key: bytes) -> bool:
        """See `SwarmConnection.identify`."""

    def ban(self, connection: SwarmConnection) -> None:
        """See `SwarmConnection.ban`."""


class SwarmConnection:
    """A connected pair of byte streams with a peer.

    Attributes:
        reader, writer: the bytes; the swarm closes them when the handler returns.
        initiator: whether we dialled.
        address: the peer's host and port; where it dialled from if it did.
        local: whether it is on a network of ours.
        remote_key: the peer's public key, once `identify` was told.
        since: when it was made, in seconds of the event loop's clock.
        candidate: what was dialled; None if the peer did.
        contested: the peer is expected to close it; see `settled`.
        useful: for the handler to say. True: the peer is dialled again at once. False: this counts
            as a failure. None: it does if the connection ended soon.
        parked: addresses of the same peer that rest while this connection lives.
    """

    def __init__(
        self,
        owner: Owner,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        address: tuple[str, int],
        candidate: Candidate | None = None,
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.initiator = candidate is not None
        self.address = address
        self.local = is_local(address[0]) or bool(candidate and candidate.local)
        self.remote_key: bytes | None = None
        self.since = asyncio.get_running_loop().time()
        self.candidate = candidate
        self.contested = False
        self.useful: bool | None = None
        self.parked: list[Candidate] = []
        self._owner = owner
        self._closed = asyncio.Event()

    def __repr__(self) -> str:
        host, port = self.address
        return f"<SwarmConnection {'to' if self.initiator else 'from'} {host}:{port}>"

    @property
    def topics(self) -> frozenset[bytes]:
        """The topics the peer was found for; none if it found us, for it does not say."""
        return frozenset(self.candidate.topics) if self.candidate else frozenset()

    def identify(self, own_key: bytes, remote_key: bytes) -> bool:
        """Say who is at the other end, as soon as that is proven.

        Before this a connection is the first to go when there are many. Not every connection
        should go on after it: it may be a duplicate, lead back to ourselves, come from somebody
        who was banned, or be one too many.

        Args:
            own_key: our public key. remote_key: the peer's.

        Returns:
            Whether to go on. If not, close it (return from the handler).
        """
        return self._owner.identify(self, own_key, remote_key)

    async def settled(self) -> bool:
        """Wait until it is clear that this connection stays, at most :data:`SETTLE_S`.

        Mostly that is clear at once. It is not where both sides have dialled each other at the
        same time, and the peer will close this connection; nothing much should be begun on it.
        Go on reading meanwhile and end the handler when the peer has closed: only then it shows.

        Returns:
            Whether it is still open.
        """
        if self.contested:
            try:
                async with asyncio.timeout(SETTLE_S):
                    await self._closed.wait()
            except TimeoutError:
                self.contested = False
        return not self.closed

    @property
    def closed(self) -> bool:
        """Whether the connection is over."""
        return self._closed.is_set() or self.writer.is_closing()

    async def wait_closed(self) -> None:
        """Wait until the connection is over, and its handler has returned."""
        await self._closed.wait()

    def ban(self) -> None:
        """Close it, and have nothing to do with this peer again while the swarm lives.

        Neither its address, if we dialled it, nor its key, if it is known.
        """
        self._owner.ban(self)

    def close(self) -> None:
        """Close it once what was written has gone out. Idempotent."""
        self.writer.close()

    def abort(self) -> None:
        """Close it at once."""
        self.writer.transport.abort()

    def finish(self) -> None:
        """The swarm's: the handler has returned."""
        self._closed.set()
