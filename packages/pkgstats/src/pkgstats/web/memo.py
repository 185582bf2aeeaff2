"""What was worked out of one state of the view, kept for whoever asks next. For several threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")

KEPT: Final = 64
"""Answers that are kept; the one that was asked for least recently goes."""


class Memo:
    """Answers by what they depend on.

    Two threads that miss the same answer at once both work it out: that costs less than to let one
    wait for the other would cost in code.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The answer to ``key``, made if it is not known.

        Args:
            key: all that the answer depends on: the view's identity and generation, the day, …
            make: works it out; what it raises is passed on, and nothing is kept.
        """
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                found: T = self._known[key]
                return found
        made = make()
        with self._lock:
            self._known[key] = made
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return made
