"""Counters of what went over."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class TransferStats:
    """What went over; of one peer, or of all peers of a feed.

    Attributes:
        uploaded_blocks, uploaded_bytes, downloaded_blocks, downloaded_bytes: blocks, and their
            values' bytes.
        duplicate_blocks: received although they were here already.
        unrequested: blocks nobody asked for.
        refused: requests that were answered with Unhave.
        expired: requests not answered in time.
    """

    uploaded_blocks: int = 0
    uploaded_bytes: int = 0
    downloaded_blocks: int = 0
    downloaded_bytes: int = 0
    duplicate_blocks: int = 0
    unrequested: int = 0
    refused: int = 0
    expired: int = 0

    def add(self, other: TransferStats) -> None:
        """Add the other's counters to these."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
