"""Posts to a stream: standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class StreamPoster:
    """Writes posts, an empty line after each.

    Args:
        write: takes text.
        place: what the stream is called.
    """

    social = False
    knows_again_s = 0.0

    def __init__(self, write: Callable[[str], object], place: str = "-") -> None:
        self._write = write
        self.place = place

    async def send(self, text: str, key: str) -> None:
        """Write it."""
        del key
        self._write(f"{text}\n\n")
