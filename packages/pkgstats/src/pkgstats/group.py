"""A group: who shares facts with whom, by which keys, and its list of who may write.

A group is named by the public key of an Ed25519 pair. Who has it can read; who has the secret key
says whom all of them believe. Facts travel in five multifeeds, one for each kind of core.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from hypermultifeed import KeyPair, parse_key
from pkgstats.records.model import GroupList, Member

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SEARCH_KINDS: Final = ("meta", "index")
"""The kinds that a peer needs who only searches."""

KEY_FILE: Final = "group"
"""In a node's folder: the public key of the group it has joined, in hex."""

SECRET_FILE: Final = "group-secret"  # noqa: S105 - a file's name
"""In the owner's folder, instead: the seed of the group's key pair, in hex."""

MEMBERS_MAX: Final = 1024
"""Writers that one list can name."""

RATE_MAX: Final = 1500
"""Requests in a thousand seconds that a group may allow itself: what registries call polite."""

_PERSON: Final = b"pkgstats root"


class GroupError(Exception):
    """A group cannot be joined, made or changed so; the text says why, and what to do."""


def root_key(group: bytes, kind: str) -> bytes:
    """The root key of the multifeed for one kind of core.

    It follows from the group's key alone (keyed BLAKE2b-256), so that key is all that one needs.
    """
    return hashlib.blake2b(kind.encode(), digest_size=32, key=group, person=_PERSON).digest()


@dataclass(frozen=True, slots=True)
class Group:
    """A group as one peer has it.

    Attributes:
        key: its public key, 32 bytes.
        key_pair: the whole pair where this peer is its owner.
    """

    key: bytes
    key_pair: KeyPair | None = None

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Make a group of one's own and keep its secret in a file that only the user can read.

        Raises:
            GroupError: the folder has a group already.
        """
        _check_free(folder)
        pair = KeyPair.generate()
        seed = pair.secret_key[:32]
        _write_new(folder / SECRET_FILE, seed.hex())
        return cls(pair.public_key, pair)

    @classmethod
    def join(cls, folder: Path, key: bytes | str) -> Self:
        """Note that this folder is for the group with that key.

        Raises:
            GroupError: the folder has another group already.
            ValueError: that is no key.
        """
        wanted = parse_key(key)
        found = cls.find(folder)
        if found is None:
            _write_new(folder / KEY_FILE, wanted.hex())
        elif found.key != wanted:
            _check_free(folder)
        return cls.find(folder) or cls(wanted)

    @classmethod
    def find(cls, folder: Path) -> Self | None:
        """The folder's group; None if it has none yet.

        Raises:
            GroupError: the file that names it is damaged.
        """
        secret = _read_key(folder / SECRET_FILE)
        if secret is not None:
            pair = KeyPair.from_seed(secret)
            return cls(pair.public_key, pair)
        key = _read_key(folder / KEY_FILE)
        return None if key is None else cls(key)


def admit(listed: GroupList | None, key: bytes, role: str, *, now: int) -> GroupList:
    """The next list, in which a writer is a member whose blocks all count.

    Args:
        listed: the newest list; None: there is none yet.
        key: of the writer's ``meta`` feed.
        role: ``crawler``, ``watcher`` or ``notes``.
        now: ms since 1970, UTC.

    Raises:
        GroupError: there is no more room.
    """
    members = _members(listed) | {key: Member(key=key, role=role)}
    if len(members) > MEMBERS_MAX:
        raise GroupError(f"a group has at most {MEMBERS_MAX} members")
    return _next(listed, members, now)


def revoke(
    listed: GroupList | None, key: bytes, until: Mapping[str, int], *, now: int
) -> GroupList:
    """The next list, in which a member's feeds count only up to some block.

    Args:
        listed: the newest list.
        key: of the member's ``meta`` feed.
        until: for each kind of its cores how many blocks go on to count; a kind that is not
            named counts no longer.
        now: ms since 1970, UTC.

    Raises:
        GroupError: that is no member.
    """
    members = _members(listed)
    if key not in members:
        raise GroupError(f"{key.hex()} is not in the list; `pkgstats writers` shows who is")
    members[key] = replace(members[key], until=dict(until))
    return _next(listed, members, now)


def with_rate(listed: GroupList | None, rate: int, *, now: int) -> GroupList:
    """The next list, with another budget.

    Args:
        listed: the newest list.
        rate: requests in a thousand seconds that the whole group allows itself.
        now: ms since 1970, UTC.

    Raises:
        GroupError: that is more than anybody should ask.
    """
    if not 0 < rate <= RATE_MAX:
        raise GroupError(f"a group asks 1 to {RATE_MAX} times in a thousand seconds, not {rate}")
    return replace(_next(listed, _members(listed), now), rate=rate)


def _members(listed: GroupList | None) -> dict[bytes, Member]:
    return {member.key: member for member in listed.members} if listed else {}


def _next(listed: GroupList | None, members: Mapping[bytes, Member], now: int) -> GroupList:
    if listed is None:
        return GroupList(edition=1, members=(*members.values(),), observed_at=now, source="user")
    edition, members_now = listed.edition + 1, (*members.values(),)
    return replace(listed, edition=edition, members=members_now, observed_at=now)


def _check_free(folder: Path) -> None:
    found = Group.find(folder)
    if found is not None:
        raise GroupError(
            f"{folder} belongs to the group {found.key.hex()} already; choose another folder with"
            " --data, or $PKGSTATS_DATA"
        )


def _read_key(file: Path) -> bytes | None:
    try:
        return parse_key(file.read_text("ascii").strip())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise GroupError(f"{file} is damaged: {error}; bring it back from a copy") from error


def _write_new(file: Path, text: str) -> None:
    """A file that only the user can read, there as a whole or not at all."""
    partial = file.with_name(f"{file.name}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(f"{text}\n")
        opened.flush()
        os.fsync(opened.fileno())
    partial.replace(file)
