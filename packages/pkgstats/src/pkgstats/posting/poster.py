"""Who posts are handed to, and what can go wrong with them.

PostError
├── RefusedError    it was not posted; the next run tries it again
├── UnfitError      it was not posted, and will not be: this text is not taken
├── BusyError       it was not posted: too many; the answer says how long to wait
└── LostError       nobody knows whether it was posted
"""

from __future__ import annotations

from typing import Protocol


class PostError(Exception):
    """Something is wrong with posting; the message says what."""


class RefusedError(PostError):
    """It was not posted; the next run tries it again."""


class UnfitError(PostError):
    """It was not posted, and will not be: this text is not taken."""


class BusyError(PostError):
    """It was not posted, since there were too many.

    Attributes:
        wait_s: seconds that the answer asks to wait.
    """

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class LostError(PostError):
    """Nobody knows whether it was posted: there was no answer, or none that says so."""


class Poster(Protocol):
    """Takes posts.

    Attributes:
        place: where they go; what was posted there is remembered by it.
        social: people elsewhere read them (`wording.worded`).
        knows_again_s: for how many seconds a post that is sent again under its key is not made
            twice; 0: it would be.
    """

    place: str
    social: bool
    knows_again_s: float

    async def send(self, text: str, key: str) -> None:
        """Post a text.

        Args:
            text: of at most `wording.TEXT_MAX` characters.
            key: of this post alone; the same if it is sent again.

        Raises:
            PostError: see above.
        """
        ...
