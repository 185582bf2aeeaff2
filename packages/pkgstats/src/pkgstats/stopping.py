"""When SQLite is to stop: what it answers soon is asked for at once, the rest in a thread.

To hand a question to a thread and its answer back takes longer than most answers do; and because
of Python's lock others hardly get on faster meanwhile.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STEPS_BETWEEN_LOOKS: Final = 2_000
"""Steps of SQLite's machine after which it looks whether it is to stop."""

STEPS_AT_ONCE: Final = 20_000
"""Steps of what is answered at once: some milliseconds with all that is done to the rows."""


class FewSteps:
    """Says that it is enough after `STEPS_AT_ONCE`."""

    def __init__(self) -> None:
        self._looks = STEPS_AT_ONCE // STEPS_BETWEEN_LOOKS

    def reached(self) -> bool:
        """Whether these were taken; to be asked every `STEPS_BETWEEN_LOOKS`."""
        self._looks -= 1
        return self._looks <= 0


@contextmanager
def stopping(database: sqlite3.Connection, reached: Callable[[], bool]) -> Iterator[None]:
    """Within the block a query ends with an error for which `was_stopped` once it is reached."""
    database.set_progress_handler(reached, STEPS_BETWEEN_LOOKS)
    try:
        yield
    finally:
        database.set_progress_handler(None, 0)


def was_stopped(error: sqlite3.OperationalError) -> bool:
    """Whether a query ended because it was to stop."""
    return error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT
