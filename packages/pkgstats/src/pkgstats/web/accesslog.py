"""The access log: a line for each request, as most programs that read such logs expect it.

It has no query strings unless they are asked for: what people look for is nobody's business, and a
log outlives the moment. For the same reason there is none at all unless one is asked for.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pkgstats.web.site import Settings
    from pkgstats.web.watching import Answered

MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
"""In English, whatever the language of the machine."""

ASKED_MAX: Final = 2048
"""Characters of an address that are written."""


STDERR: Final = "-"


@contextmanager
def opened(settings: Settings) -> Iterator[AccessLog | None]:
    """The log that the settings ask for; lines go to the end of its file.

    Raises:
        OSError: the file cannot be written.
    """
    if not settings.access_log:
        yield None
    elif settings.access_log == STDERR:
        yield AccessLog(sys.stderr, queries=settings.log_queries)
    else:
        with open(settings.access_log, "a", encoding="ascii") as file:
            yield AccessLog(file, queries=settings.log_queries)


class AccessLog:
    """Writes lines to a file, each at once."""

    def __init__(
        self, file: TextIO, *, queries: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        """Take the file, which stays the caller's.

        Args:
            file: open for text; each line is flushed.
            queries: write what stands behind the question mark, too.
            clock: seconds since 1970, UTC.
        """
        self._file = file
        self._queries = queries
        self._clock = clock

    def __call__(self, answered: Answered) -> None:
        """Write the line of a request."""
        text = line(answered, self._clock(), queries=self._queries)
        try:
            self._file.write(text)
            self._file.flush()
        except OSError:
            return  # a full disk is no reason to answer nobody


def line(answered: Answered, now: float, *, queries: bool) -> str:
    """One line: the common log format, and the milliseconds that it took.

    Args:
        answered: the request.
        now: seconds since 1970.
        queries: with the query string.
    """
    asked = answered.path
    if queries and answered.query:
        asked += b"?" + answered.query
    request = f"{_safe(answered.method.encode())} {_safe(asked)} HTTP/{answered.version}"
    size = answered.bytes or "-"
    who = _safe(answered.client.encode()) or "-"
    took = f"{answered.seconds * 1000:.1f}"
    return f'{who} - - [{_moment(now)}] "{request}" {answered.status} {size} {took}\n'


def _moment(now: float) -> str:
    at = datetime.fromtimestamp(now, UTC)
    return f"{at:%d}/{MONTHS[at.month * 4 - 4 : at.month * 4 - 1]}/{at:%Y:%H:%M:%S} +0000"


def _safe(raw: bytes) -> str:
    """Text that neither ends the line nor the quotes around it, nor moves a terminal's cursor."""
    return "".join(
        chr(one) if 0x20 < one < 0x7F and one not in b'"\\' else f"\\x{one:02x}"
        for one in raw[:ASKED_MAX]
    )
