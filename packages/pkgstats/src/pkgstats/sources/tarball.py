"""What a package's tarball says: its readme, its manifest, how large it is unpacked. Pure.

Registries, and mirrors more so, leave out the readme and the sizes; the tarball always has them. A
tarball is a gzipped tar archive (ustar, GNU or pax) whose paths begin with one folder, ``package``
as a rule. This reader unpacks nothing to a disk and keeps nothing but the files that it wants.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pkgstats.records.model import README_BYTES_MAX
from pkgstats.sources.answers import GZIP, read_object
from pkgstats.sources.errors import AnswerError

if TYPE_CHECKING:
    from collections.abc import Iterator

TARBALL_BYTES_MAX: Final = 64 << 20
"""Of a tarball as it is fetched."""

UNPACKED_BYTES_MAX: Final = 512 << 20
"""Of a tarball that is unpacked; time, not memory, is what it costs."""

ENTRIES_MAX: Final = 100_000
"""Files and folders of one tarball."""

EXTENSION_BYTES_MAX: Final = 64 << 10
"""Of a header that extends the next one (a long path)."""

MANIFEST_BYTES_MAX: Final = 1 << 20
"""Of a package.json."""

BLOCK: Final = 512
CHUNK: Final = 64 << 10
REGULAR: Final = b"0\x007"
LONG_NAME, PAX, PAX_ALL = b"L", b"x", b"g"

README_ENDINGS: Final = (".md", ".markdown", "", ".mdown", ".mkd", ".txt", ".rst")
"""Of readmes, best first."""


@dataclass(frozen=True, slots=True)
class TarballFacts:
    """What a tarball says.

    Attributes:
        readme: its text, cut at 512 kB; None if it has none.
        manifest: its package.json.
        unpacked: bytes of all files.
        files: how many files.
    """

    readme: str | None
    manifest: dict[str, Any]
    unpacked: int
    files: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One header of an archive."""

    path: str
    size: int
    kind: bytes


def check_integrity(data: bytes, integrity: str, shasum: str = "") -> None:
    """Compare a tarball with its manifest's ``dist.integrity``, or else ``dist.shasum``.

    Raises:
        AnswerError: it is another one, or its manifest names no hash that is known here.
    """
    for part in integrity.split():
        method, _, digest = part.partition("-")
        if method == "sha512":
            try:
                wanted = base64.b64decode(digest.partition("?")[0], validate=True)
            except (binascii.Error, ValueError):
                raise AnswerError("an integrity that is no base64") from None
            if hashlib.sha512(data).digest() == wanted:
                return
            raise AnswerError("a tarball is not the one that its manifest names")
    if not shasum:
        raise AnswerError("a manifest names no hash of its tarball")
    if hashlib.sha1(data, usedforsecurity=False).hexdigest() != shasum.lower():
        raise AnswerError("a tarball is not the one that its manifest names")


def inspect(data: bytes) -> TarballFacts:
    """Read a tarball; takes about a second for 100 MB unpacked.

    Raises:
        AnswerError: it is no tarball, cut off, or passes a bound.
    """
    archive = Archive(data)
    readmes: dict[str, bytes] = {}
    manifest: dict[str, Any] = {}
    unpacked = files = 0
    for entry in archive.entries():
        if entry.kind not in REGULAR:
            continue
        files += 1
        unpacked += entry.size
        path = entry.path.removeprefix("./").partition("/")[2].lower()
        if path == "package.json" and entry.size <= MANIFEST_BYTES_MAX:
            manifest = read_object(archive.content(entry))
        elif (ending := readme_ending(path)) is not None and ending not in readmes:
            readmes[ending] = archive.content(entry, README_BYTES_MAX)
    return TarballFacts(best_readme(readmes), manifest, unpacked, files)


def readme_ending(path: str) -> str | None:
    """``.md`` of ``readme.md``; None if it is none, or one in a folder or in another language."""
    ending = path.removeprefix("readme")
    return ending if path.startswith("readme") and ending in README_ENDINGS else None


def best_readme(readmes: dict[str, bytes]) -> str | None:
    """The text of the one whose ending comes first and that says something."""
    for ending in README_ENDINGS:
        found = readmes.get(ending, b"").decode(errors="replace")
        if found.strip():
            return found
    return None


class Archive:
    """A gzipped tar archive, read forwards."""

    def __init__(self, data: bytes) -> None:
        self._inflate = zlib.decompressobj(GZIP)
        self._packed = memoryview(data)
        self._tail = b""
        self._ready = b""
        self._unpacked = 0
        self._left = 0

    def entries(self) -> Iterator[Entry]:
        """The headers; between two of them, `content` may be asked for.

        Raises:
            AnswerError: see `inspect`.
        """
        path: str | None = None
        for _ in range(ENTRIES_MAX):
            self._skip(self._left)
            header = self._read(BLOCK) if self._more() else b""
            if not header.strip(b"\0"):
                return
            entry = read_header(header)
            self._left = -(-entry.size // BLOCK) * BLOCK
            if entry.kind in {LONG_NAME, PAX, PAX_ALL}:
                if entry.size > EXTENSION_BYTES_MAX:
                    raise AnswerError("a tarball with a header that is too long")
                if entry.kind != PAX_ALL:
                    path = extended_path(entry.kind, self.content(entry)) or path
                continue
            yield entry if path is None else Entry(path, entry.size, entry.kind)
            path = None
        raise AnswerError(f"a tarball with more than {ENTRIES_MAX} entries")

    def content(self, entry: Entry, bytes_max: int = MANIFEST_BYTES_MAX) -> bytes:
        """The first bytes of the last entry."""
        found = self._read(min(entry.size, bytes_max))
        self._left -= len(found)
        return found

    def _read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size:
            parts.append(self._some(size))
            size -= len(parts[-1])
        return b"".join(parts)

    def _skip(self, size: int) -> None:
        while size:
            size -= len(self._some(size))

    def _some(self, size: int) -> bytes:
        """From 1 to ``size`` bytes."""
        if not self._more():
            raise AnswerError("a tarball ends too early")
        part, self._ready = self._ready[:size], self._ready[size:]
        return part

    def _more(self) -> bool:
        """Whether a byte is left."""
        while not self._ready and not self._inflate.eof and (self._packed or self._tail):
            packed = self._tail or self._packed[:CHUNK]
            self._packed = self._packed if self._tail else self._packed[CHUNK:]
            try:
                self._ready = self._inflate.decompress(packed, CHUNK)
            except zlib.error as error:
                raise AnswerError(f"a tarball cannot be unpacked: {error}") from None
            self._tail = self._inflate.unconsumed_tail
            self._unpacked += len(self._ready)
            if self._unpacked > UNPACKED_BYTES_MAX:
                raise AnswerError(f"a tarball is larger than {UNPACKED_BYTES_MAX} bytes")
        return bool(self._ready)


def read_header(header: bytes) -> Entry:
    """One header of 512 bytes (POSIX.1-1988 and GNU).

    Raises:
        AnswerError: it is none.
    """
    total = sum(header) - sum(header[148:156]) + 8 * 32
    if total != read_number(header[148:156]):
        raise AnswerError("a tarball with a malformed header")
    name = header[:100].partition(b"\0")[0]
    if header[257:263] == b"ustar\0" and header[345]:
        name = header[345:500].partition(b"\0")[0] + b"/" + name
    return Entry(name.decode(errors="replace"), read_number(header[124:136]), header[156:157])


def read_number(data: bytes) -> int:
    """An octal number, or one in base 256 (GNU).

    Raises:
        AnswerError: it is none.
    """
    if data[0] == 0x80:
        return int.from_bytes(data[1:], "big")
    digits = data.strip(b" \0") or b"0"
    if digits.strip(b"01234567"):
        raise AnswerError("a tarball with a malformed header")
    return int(digits, 8)


def extended_path(kind: bytes, data: bytes) -> str:
    """The path in a header that extends the next one; empty if it says nothing of a path."""
    if kind == LONG_NAME:
        return data.partition(b"\0")[0].decode(errors="replace")
    while data:
        length, _, rest = data.partition(b" ")
        size = int(length) if length.isdigit() and len(length) < 8 else 0
        record, data = rest[: size - len(length) - 1], data[size:]
        if record.startswith(b"path="):
            return record[5:].rstrip(b"\n").decode(errors="replace")
        if size == 0:
            break
    return ""
