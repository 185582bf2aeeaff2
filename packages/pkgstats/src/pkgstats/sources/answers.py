"""What came back, and how it is read: nothing costs more than its bound. Pure."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final, NoReturn

from pkgstats.sources.errors import AnswerError

JSON_ITEMS_MAX: Final = 1 << 20
"""Commas and brackets of one document: few bytes of text may make much memory."""

ETAG_MAX: Final = 200
"""Longest etag that is kept and sent back."""

GZIP: Final = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Attributes:
        status: 200, or 304 where an etag was sent and still holds.
        body: unpacked.
        observed_at: when it came, ms since 1970.
        etag: to ask with next time; empty if there is none.
        modified: ``last-modified``, ms since 1970; 0 if it is not told.
    """

    status: int
    body: bytes
    observed_at: int
    etag: str = ""
    modified: int = 0

    @property
    def evidence(self) -> dict[str, str]:
        """What a record says of the answer that it was seen in."""
        etag = {"etag": self.etag} if self.etag else {}
        return {"status": str(self.status), **etag}


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object that was answered, and in which answer.

    Attributes:
        value: the object; empty if it has not changed.
        changed: False where an etag was sent and still holds.
        observed_at: ms since 1970.
        modified: ``last-modified``, ms since 1970; 0 if it is not told.
    """

    value: dict[str, Any]
    observed_at: int
    evidence: dict[str, str]
    changed: bool = True
    modified: int = 0

    @property
    def etag(self) -> str:
        """To ask with next time."""
        return self.evidence.get("etag", "")


def read_http_date(text: str) -> int:
    """A date of HTTP, ms since 1970; 0 if it is none."""
    try:
        return max(0, int(parsedate_to_datetime(text[:64]).timestamp() * 1000))
    except (ValueError, OverflowError, OSError):
        return 0


class Unpacker:
    """Unpacks a body piece by piece, and stops as soon as it is too large.

    Args:
        encoding: the answer's ``content-encoding``; only gzip is asked for.
        bytes_max: of the unpacked body.

    Raises:
        AnswerError: another encoding.
    """

    def __init__(self, encoding: str, bytes_max: int) -> None:
        if encoding.strip().lower() not in {"", "identity", "gzip"}:
            raise AnswerError("an answer is packed as nobody asked for")
        self._inflate = zlib.decompressobj(GZIP) if "gzip" in encoding.lower() else None
        self._bytes_max = bytes_max
        self._packed = 0
        self._body = bytearray()

    def add(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            AnswerError: it gets too large, or is not packed so.
        """
        self._packed += len(data)
        room = self._bytes_max - len(self._body)
        data = data if self._inflate is None else _inflated(self._inflate, data, room + 1)
        if len(data) > room or self._packed > self._bytes_max:
            raise AnswerError(f"an answer is larger than {self._bytes_max} bytes")
        self._body += data

    def finish(self) -> bytes:
        """The whole body.

        Raises:
            AnswerError: its end has not come.
        """
        if self._inflate is not None and not self._inflate.eof and self._packed:
            raise AnswerError("an answer ends too early")
        return bytes(self._body)


def _inflated(inflate: zlib._Decompress, data: bytes, bytes_max: int) -> bytes:
    """At most so many unpacked bytes."""
    if inflate.eof:
        raise AnswerError("something follows an answer's end")
    try:
        return inflate.decompress(data, bytes_max)
    except zlib.error as error:
        raise AnswerError(f"an answer cannot be unpacked: {error}") from None


def read_json(body: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        AnswerError: it is none, holds too much, is nested too deeply (Python's own limit), or
            has numbers that JSON does not have.
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") > JSON_ITEMS_MAX:
        raise AnswerError("an answer has too many parts")
    try:
        return json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError, MemoryError) as error:
        raise AnswerError(f"an answer is no JSON: {str(error)[:100]}") from None


def read_object(body: bytes) -> dict[str, Any]:
    """The value of a JSON text that is an object.

    Raises:
        AnswerError: as `read_json`, or it is something else.
    """
    value = read_json(body)
    if not isinstance(value, dict):
        raise AnswerError("an answer is no JSON object")
    return value


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
