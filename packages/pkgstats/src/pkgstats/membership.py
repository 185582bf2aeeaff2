"""What a node does about its group's list: who may write, in what role, how often all may ask."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from pkgstats import group as groups
from pkgstats import trust
from pkgstats.group import GroupError
from pkgstats.records.blocks import encode_block

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from hypermultifeed import Multifeed
    from pkgstats.group import Group
    from pkgstats.records.model import GroupList
    from pkgstats.view.reading import View

NOT_OWNER: Final = (
    "only the group's owner can change its list: in the folder where `pkgstats group create` made"
    " the group"
)


class ListChange(Protocol):
    """What makes the next list of a group out of the newest one."""

    def __call__(self, listed: GroupList | None, *, now: int) -> GroupList:
        """The next list."""


class Membership:
    """The list of a node's group."""

    def __init__(
        self,
        group: Group,
        multis: Mapping[str, Multifeed],
        view: View,
        catch_up: Callable[[], Awaitable[None]],
        clock: Callable[[], int],
    ) -> None:
        """Take what the node has open.

        Args:
            group: of the node.
            multis: the multifeeds that are open, by kind.
            view: its view.
            catch_up: takes all that is here into the view.
            clock: the time in ms since 1970, UTC.
        """
        self._group = group
        self._multis = multis
        self._view = view
        self._catch_up = catch_up
        self._clock = clock
        self._publishing = asyncio.Lock()

    def listed(self) -> GroupList | None:
        """The newest list that has been read."""
        return self._view.group_list()

    async def admit(self, key: bytes, role: str = "crawler") -> GroupList:
        """Name a writer in the group's list, or give it another role.

        Raises:
            GroupError: the group is somebody else's, or is full.
        """
        return await self._publish(partial(groups.admit, key=key, role=role))

    async def revoke(self, key: bytes, until: Mapping[str, int] | None = None) -> GroupList:
        """Let a member's feeds count only up to some block.

        Args:
            key: of its ``meta`` feed.
            until: see `group.revoke`; None: what is here now goes on to count.

        Raises:
            GroupError: the group is somebody else's, or that is no member.
        """
        if until is None:
            await self._catch_up()
            until = self._lengths(key)
        return await self._publish(partial(groups.revoke, key=key, until=until))

    async def set_rate(self, rate: int) -> GroupList:
        """Set how often the whole group asks registries, in requests a thousand seconds.

        Raises:
            GroupError: the group is somebody else's, or that is too much.
        """
        return await self._publish(partial(groups.with_rate, rate=rate))

    async def _publish(self, change: ListChange) -> GroupList:
        """Append the next list; one change after the other, since each is made from the last."""
        pair = self._group.key_pair
        if pair is None:
            raise GroupError(NOT_OWNER)
        async with self._publishing:
            await self._catch_up()
            listed = change(self.listed(), now=self._clock())
            feed = await self._multis[trust.META].writer("group", key_pair=pair)
            await feed.append(encode_block([listed]))
            await self._catch_up()
        return listed

    def _lengths(self, writer: bytes) -> dict[str, int]:
        """How many blocks of a writer's cores are known here."""
        lengths = {}
        for facts in self._view.writers():
            for kind, core in facts.cores.items() if facts.key == writer else ():
                feed = self._multis[kind].feed(core.key) if kind in self._multis else None
                if feed is not None and feed.length:
                    lengths[kind] = feed.length
        return lengths
