"""Whose feeds count, for what, and up to which block.

Nobody is accepted but the writers that a group's list names, and my own. Everything here follows
from the newest list, the writers' cards and my own keys; no record decides about another
writer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pkgstats.records.model import (
    CORES,
    Check,
    DayCounts,
    GroupList,
    Heartbeat,
    IndexRows,
    Member,
    NamesBlock,
    ReadmePart,
    Retraction,
    Snapshot,
    Tombstone,
    VersionEvent,
    WeekCounts,
    WriterCard,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pkgstats.records.model import Known, Record

OWNER: Final = "owner"
"""Role of the group's own feed where the list does not name it as a writer too."""

META: Final = CORES[0]
"""The kind of core that tells about writers."""

FACTS: Final = CORES[1:]
"""The kinds of core that tell about packages."""

CORE_OF: Final[dict[type[Record], str]] = {
    WriterCard: "meta",
    Heartbeat: "meta",
    GroupList: "meta",
    Check: "meta",
    Retraction: "meta",
    IndexRows: "index",
    NamesBlock: "index",
    Snapshot: "detail",
    VersionEvent: "detail",
    Tombstone: "detail",
    DayCounts: "days",
    WeekCounts: "days",
    ReadmePart: "readme",
}
"""Which kind of core each record belongs in; anywhere else it is refused."""

WATCHER_SAYS: Final = frozenset({Snapshot, VersionEvent, DayCounts, WeekCounts})
"""What a watcher may say of packages, one package a record."""

CHECKS_MIN: Final = 100
"""Records of a writer that must have been checked before a share of errors means anything."""

ERRORS_MAX: Final = 0.01
"""Share of wrong records above which a writer is set aside."""


@dataclass(frozen=True, slots=True)
class Authority:
    """What a feed's blocks count for.

    Attributes:
        writer: key of the writer's ``meta`` feed.
        kind: kind of core.
        role: ``crawler``, ``watcher``, ``notes`` or ``owner``.
        until: how many blocks of it count; None: all.
    """

    writer: bytes
    kind: str
    role: str
    until: int | None = None


def members_of(group_list: GroupList | None, own: Collection[bytes]) -> dict[bytes, Member]:
    """The writers that are accepted, in the order in which they came to be.

    What the list says of my own writers counts, so that I see what all others see; those it does
    not name are crawlers to me.
    """
    members: dict[bytes, Member] = {}
    for member in group_list.members if group_list else ():
        members.setdefault(member.key, member)
    for key in sorted(own):
        members.setdefault(key, Member(key=key))
    return members


def authorities(
    group: bytes,
    group_list: GroupList | None,
    cards: Mapping[bytes, WriterCard],
    *,
    own: Collection[bytes] = (),
    aside: Collection[bytes] = (),
) -> dict[bytes, Authority]:
    """What each feed counts for, by its key; feeds that are not here count for nothing.

    A feed belongs to the first member whose card names it: a card cannot take over the feed of
    one who was there before.

    Args:
        group: the group's public key; also the feed with its lists.
        group_list: the newest list.
        cards: the newest card in each ``meta`` feed, by the feed's key.
        own: keys of my writers' ``meta`` feeds.
        aside: writers whose packages are not believed for now (`is_set_aside`).
    """
    members = members_of(group_list, own)
    found = {group: Authority(group, META, OWNER)}
    for member in members.values():
        found[member.key] = Authority(member.key, META, member.role, _until(member, META))
    for member in members.values():
        if member.role == "notes" or member.key in aside or member.key not in cards:
            continue
        for kind in FACTS:
            feed = cards[member.key].cores.get(kind)
            if feed is not None:
                authority = Authority(member.key, kind, member.role, _until(member, kind))
                found.setdefault(feed, authority)
    return found


def _until(member: Member, kind: str) -> int | None:
    return None if member.until is None else member.until.get(kind, 0)


def refusal(authority: Authority, record: Known) -> str | None:
    """Why a record does not count in a feed, None if it does.

    A list of the group counts, besides, in no feed but the one that has the group's key.
    """
    kind = CORE_OF[type(record)]
    if kind != authority.kind:
        return "in a feed where it does not belong"
    if kind == META:
        is_list = isinstance(record, GroupList)
        return "not a member's" if authority.role == OWNER and not is_list else None
    if authority.role == "crawler":
        return None
    if authority.role != "watcher" or type(record) not in WATCHER_SAYS:
        return "beyond the writer's role"
    if isinstance(record, DayCounts) and not record.name:
        return "beyond the writer's role"
    return None


def is_set_aside(checked: int, wrong: int) -> bool:
    """Whether too many of a writer's records were wrong when they were looked at again."""
    return checked >= CHECKS_MIN and wrong > checked * ERRORS_MAX
