"""What a peer says it has of a feed."""

from __future__ import annotations


class RemoteBitfield:
    """Blocks a peer has: long runs as ranges, the rest as pages of bits; bounded."""

    def get(self, index: int) -> bool:
        """Whether the peer has the block."""
        raise NotImplementedError

    def set_range(self, start: int, length: int) -> None:
        """The peer has ``length`` blocks from ``start`` on (``Have``)."""
        raise NotImplementedError

    def clear_range(self, start: int, length: int) -> None:
        """The peer no longer has them (``Unhave``)."""
        raise NotImplementedError

    def set_bits(self, start: int, bits: bytes) -> None:
        """A ``Have`` with a bitfield, decoded: what the peer has, and has not, from ``start``."""
        raise NotImplementedError

    def next(self, start: int, stop: int) -> int:
        """The first block of ``[start, stop)`` that the peer has, -1 if none."""
        raise NotImplementedError

    @property
    def length(self) -> int:
        """One more than the last block the peer has announced."""
        raise NotImplementedError
