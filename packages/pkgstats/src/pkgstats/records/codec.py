"""Records as CBOR maps with whole numbers for keys (RFC 8949), both ways, checked both ways."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from io import BytesIO
from typing import Any, Final, get_args

import cbor2

from pkgstats.records.kinds import Kind, Number, RecordError
from pkgstats.records.model import (
    SCHEMA,
    SCHEMA_KEY,
    TYPE_KEY,
    DayCounts,
    IndexRows,
    Known,
    Member,
    ReadmePart,
    Record,
)

DEPTH_MAX: Final = 8
"""Nested arrays and maps of one record."""

EXTRA_KEYS_MAX: Final = 64
"""Keys of one record that are not known here."""

OBSERVED_AT_KEY: Final = 2
EVIDENCE_KEY: Final = 4
README_BLOCK_KEY: Final = 57


@dataclass(frozen=True, slots=True)
class UnknownRecord:
    """A record of a type, or a schema, that a later version knows."""

    type: int
    value: dict[int, Any]


@dataclass(frozen=True, slots=True)
class BadRecord:
    """Something that passes for no record; it is counted, and no more."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Field:
    number: int
    attribute: str
    kind: Kind
    needed: bool
    default: Any


def _fields_of(record: type[Record]) -> tuple[_Field, ...]:
    found = [
        _Field(
            one.metadata["key"],
            one.name,
            one.metadata["kind"],
            needed=one.default is not None and type(one.default).__name__ == "_MISSING_TYPE",
            default=one.default,
        )
        for one in fields(record)
        if "key" in one.metadata
    ]
    return tuple(sorted(found, key=lambda one: one.number))


_TYPES: Final[dict[int, type[Record]]] = {one.type: one for one in get_args(Known)}
_FIELDS: Final = {one: _fields_of(one) for one in _TYPES.values()}
_NUMBERS: Final = {
    one: {TYPE_KEY, SCHEMA_KEY, *(each.number for each in found)} for one, found in _FIELDS.items()
}


def _refuse(*_: Any) -> Any:
    raise RecordError("records have no tags")


# Tags bring in regular expressions, references and numbers of any size: none has a place here.
_TAGS: Final = dict.fromkeys([*range(64), *range(256, 280), 1004, 43000, 55799], _refuse)


def to_map(record: Known) -> dict[int, Any]:
    """The record as CBOR has it.

    Raises:
        RecordError: a field passes a bound, or fields contradict each other.
    """
    found: dict[int, Any] = {TYPE_KEY: record.type, SCHEMA_KEY: SCHEMA}
    for one in _FIELDS[type(record)]:
        value = getattr(record, one.attribute)
        if one.needed or value != one.default:
            checked = one.kind.check(value)
            found[one.number] = _plain(checked)
    _check_whole(record)
    for number, value in record.extra.items():
        found.setdefault(number, value)
    return dict(sorted(found.items()))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return dict(sorted(value.items()))  # so that one record has one form
    if isinstance(value, tuple) and value and isinstance(value[0], Member):
        return [_member(one) for one in value]
    return value


def _member(member: Member) -> dict[int, Any]:
    found: dict[int, Any] = {0: member.key, 1: member.role}
    if member.until is not None:
        found[2] = dict(sorted(member.until.items()))
    return found


def from_map(value: Any) -> Known | UnknownRecord | BadRecord:
    """The record that a CBOR map is; never raises."""
    try:
        return _from_map(value)
    except RecordError as error:
        return BadRecord(str(error))


def _from_map(value: Any) -> Known | UnknownRecord:
    if not isinstance(value, dict) or not all(type(one) is int for one in value):
        raise RecordError("no map with whole numbers for keys")
    kind = Number().check(value.get(TYPE_KEY))
    record = _TYPES.get(kind)
    if record is None or value.get(SCHEMA_KEY) != SCHEMA:
        return UnknownRecord(kind, value)
    given: dict[str, Any] = {}
    for one in _FIELDS[record]:
        if one.number in value:
            given[one.attribute] = one.kind.check(value[one.number])
        elif one.needed:
            raise RecordError(f"{record.letter} without {one.attribute}")
    extra = {number: value[number] for number in value.keys() - _NUMBERS[record]}
    if len(extra) > EXTRA_KEYS_MAX:
        raise RecordError(f"more than {EXTRA_KEYS_MAX} keys that are not known")
    made: Known = record(**given, extra=extra)  # type: ignore[assignment]
    _check_whole(made)
    return made


def _check_whole(record: Known) -> None:
    """What no single field can tell."""
    if isinstance(record, IndexRows):
        columns = (record.names, record.versions, record.downloads, record.summaries)
        if len({len(column) for column in columns}) != 1:
            raise RecordError("columns of several lengths")
    elif isinstance(record, DayCounts):
        if (record.names_ref is None) == (record.name is None):
            raise RecordError("day counts of a names block or of one package, one of both")
    elif isinstance(record, ReadmePart) and record.part >= record.parts:
        raise RecordError("a part beyond the last")


def encode(records: list[Known]) -> bytes:
    """An array of records.

    Raises:
        RecordError: as `to_map`.
    """
    return cbor2.dumps([to_map(record) for record in records])


def decode(data: bytes) -> list[Known | UnknownRecord | BadRecord]:
    """The records of an array.

    Raises:
        RecordError: it is no array, malformed, nested too deeply, or something follows it.
    """
    source = BytesIO(data)
    try:
        decoder = cbor2.CBORDecoder(
            source,
            tag_hook=_refuse,
            semantic_decoders=_TAGS,
            max_depth=DEPTH_MAX + 1,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            read_size=max(1, len(data)),
        )
        values = decoder.decode()
    except Exception as error:  # whatever the decoder finds wrong with a stranger's bytes
        raise RecordError(f"no records: {error}") from error
    if not isinstance(values, list) or source.tell() != len(data):
        raise RecordError("no array of records, or something follows it")
    return [from_map(value) for value in values]


def content_hash(record: Known) -> bytes:
    """BLAKE2b-256 of all that a record says but when, by which answer, and where in a feed.

    Two writers that see the same thing say the same; a writer that sees what it has said already
    has nothing to say.
    """
    found = to_map(record)
    found.pop(OBSERVED_AT_KEY, None)
    found.pop(EVIDENCE_KEY, None)
    found.pop(README_BLOCK_KEY, None)
    return hashlib.blake2b(cbor2.dumps(found), digest_size=32).digest()


def names_hash(names: tuple[str, ...]) -> bytes:
    """What day counts call a names block by."""
    return hashlib.blake2b(cbor2.dumps(list(names)), digest_size=32).digest()
