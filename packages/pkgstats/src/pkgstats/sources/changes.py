"""A registry's changes: which packages have changed since a point in its sequence.

The sequence is opaque text. Registries have begun it anew (2016, 2021): a follower that sees
``reset`` lists all names again and compares, and goes on from the new sequence.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from pkgstats.records.names import is_package_name
from pkgstats.sources.errors import AnswerError, StatusError
from pkgstats.sources.fields import mapping, word

if TYPE_CHECKING:
    from pkgstats.sources.addresses import Addresses
    from pkgstats.sources.client import Client

PAGE_MAX: Final = 10_000
"""Changes, or names, of one page."""

SEQUENCE_MAX: Final = 64
"""Characters of a sequence; heartbeats take no more."""

FIRST: Final = "0"
"""The sequence before the first change."""

_NUMBER: Final = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Change:
    """One package that has changed: its revision, and whether it is gone."""

    name: str
    revision: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """A page of changes.

    Attributes:
        sequence: to go on from.
        reset: the sequence was begun anew; list all names again.
        last: there is no more for now.
    """

    changes: tuple[Change, ...]
    sequence: str
    reset: bool
    last: bool


@dataclass(frozen=True, slots=True)
class NamesPage:
    """A page of all names, in their order; ``after`` asks for the next one, None at the end."""

    names: tuple[str, ...]
    after: str | None


class Changes:
    """The changes of a registry; all methods raise a `SourceError`."""

    def __init__(self, client: Client, addresses: Addresses) -> None:
        self._client = client
        self._addresses = addresses

    async def newest(self) -> str:
        """The sequence as it is now, to follow from."""
        found = await self._client.document("changes", f"{self._addresses.need_changes()}/")
        return read_sequence(found.value.get("update_seq"))

    async def since(self, sequence: str, *, limit: int = PAGE_MAX) -> ChangesPage:
        """The changes after a sequence."""
        limit = min(limit, PAGE_MAX)
        query = urlencode({"since": sequence, "limit": limit})
        address = f"{self._addresses.need_changes()}/_changes?{query}"
        try:
            found = await self._client.document("changes", address)
        except StatusError as error:
            if error.status != 400 or sequence == FIRST:
                raise
            return ChangesPage((), await self.newest(), reset=True, last=False)  # not known there
        rows = found.value.get("results")
        if not isinstance(rows, list) or len(rows) > PAGE_MAX:
            raise AnswerError("a page of changes that is none")
        last = read_sequence(found.value.get("last_seq"))
        changes = tuple([change for row in rows if (change := read_change(row)) is not None])
        return ChangesPage(changes, last, reset=was_reset(sequence, last), last=len(rows) < limit)

    async def names(self, after: str = "", *, limit: int = PAGE_MAX) -> NamesPage:
        """All names that the registry has, a page at a time; each begins with the last's end."""
        limit = max(2, min(limit, PAGE_MAX))
        query = {"limit": limit, **({"startkey": json.dumps(after)} if after else {})}
        found = await self._client.document(
            "changes", f"{self._addresses.need_changes()}/_all_docs?{urlencode(query)}"
        )
        rows = found.value.get("rows")
        if not isinstance(rows, list) or len(rows) > PAGE_MAX:
            raise AnswerError("a page of names that is none")
        ids = [word(mapping(row).get("id"), 1024) for row in rows]
        later = [one for one in ids if one > after]
        names = tuple([one for one in later if is_package_name(one)])
        return NamesPage(names, later[-1] if later and len(rows) >= limit else None)


def read_sequence(value: Any) -> str:
    """A sequence, a number or a text, as text.

    Raises:
        AnswerError: it is none, or too long.
    """
    found = str(value) if type(value) is int else word(value, SEQUENCE_MAX)
    if not found or len(found) > SEQUENCE_MAX:
        raise AnswerError("changes without a sequence")
    return found


def read_change(row: Any) -> Change | None:
    """One change; None for what is no package (``_design/…``)."""
    name = mapping(row).get("id")
    if not isinstance(name, str) or not is_package_name(name):
        return None
    revisions = row.get("changes")
    first = mapping(revisions[0]) if isinstance(revisions, list) and revisions else {}
    return Change(name, word(first.get("rev"), 256), row.get("deleted") is True)


def was_reset(before: str, after: str) -> bool:
    """Whether a sequence went back: nothing else can be seen of an opaque text."""
    old, new = _NUMBER.match(before), _NUMBER.match(after)
    return old is not None and new is not None and int(new[0]) < int(old[0])
