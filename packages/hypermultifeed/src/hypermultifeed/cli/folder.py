"""What verbs do with a folder, whether it is open here or in another command.

`LocalFolder` is one that is open here. `AskedFolder`, in `asking`, does the same through the
command that has it open; `serving` answers there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypedDict

import click

from hypermultifeed.cli.running import printable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from hypermultifeed.cli.running import Opened
    from hypermultifeed.hypercore import Hypercore

FEED_PREFIX_MIN: Final = 4
"""Hex digits of a key that name a feed."""


class FeedFacts(TypedDict):
    """What is known of a feed, for JSON.

    ``length`` and ``stored`` count blocks: of the whole feed, and those that are here.
    """

    name: str
    key: str
    length: int
    bytes: int
    stored: int
    writable: bool
    forked: bool


class Writer(Protocol):
    """A feed of our own, to append to."""

    @property
    def key(self) -> str:
        """Of the feed, in hex."""

    @property
    def length(self) -> int:
        """Blocks in it."""

    @property
    def appended(self) -> int:
        """Blocks that came through this object."""

    async def extend(self, blocks: Sequence[bytes]) -> None:
        """Append; returns when the blocks are as safe as the storage makes them."""


class Folder(Protocol):
    """A multifeed in a folder."""

    @property
    def key(self) -> bytes:
        """The root key."""

    async def feeds(self) -> list[FeedFacts]:
        """All feeds, in order of arrival."""

    def blocks(self, feed: str, start: int, stop: int) -> AsyncIterator[tuple[int, bytes]]:
        """Those of blocks ``[start, stop)`` that are here, by index; ``feed`` is a key in hex."""

    async def writer(self, name: str) -> Writer:
        """A feed of our own, made now unless it is there.

        Raises:
            click.ClickException: no feed can have that name.
        """


class LocalFolder:
    """A multifeed that is open here."""

    def __init__(self, here: Opened) -> None:
        self._here = here

    @property
    def key(self) -> bytes:
        """The root key."""
        return self._here.multi.key

    async def feeds(self) -> list[FeedFacts]:
        """All feeds, in order of arrival."""
        return [feed_facts(name, feed) for name, feed in self._here.feeds()]

    async def blocks(self, feed: str, start: int, stop: int) -> AsyncIterator[tuple[int, bytes]]:
        """Those of blocks ``[start, stop)`` that are here."""
        core = self._here.multi.feed(feed)
        if core is None:
            return
        for index in range(start, min(stop, core.length)):
            if core.has(index):
                yield index, await core.get(index)

    async def writer(self, name: str) -> Writer:
        """A feed of our own."""
        try:
            return LocalWriter(await self._here.multi.writer(name))
        except ValueError as error:
            raise click.ClickException(str(error)) from error


class LocalWriter:
    """A feed of our own that is open here."""

    def __init__(self, feed: Hypercore) -> None:
        self._feed = feed
        self.key = feed.key.hex()
        self.appended = 0

    @property
    def length(self) -> int:
        """Blocks in the feed."""
        return self._feed.length

    async def extend(self, blocks: Sequence[bytes]) -> None:
        """Append; returns when the blocks are durable."""
        await self._feed.extend(blocks)
        self.appended += len(blocks)


def feed_facts(name: str, feed: Hypercore) -> FeedFacts:
    """What is known of a feed."""
    return {
        "name": name,
        "key": feed.key.hex(),
        "length": feed.length,
        "bytes": feed.byte_length,
        "stored": feed.downloaded(),
        "writable": feed.writable,
        "forked": feed.fork is not None,
    }


def selected(facts: list[FeedFacts], feed: str | None) -> list[FeedFacts]:
    """The feeds that a FEED argument means: all, by name, or by how the key begins.

    Raises:
        click.ClickException: none, or several.
    """
    if feed is None:
        return facts
    found = [fact for fact in facts if fact["name"] == feed]
    if not found and len(feed) >= FEED_PREFIX_MIN:
        found = [fact for fact in facts if fact["key"].startswith(feed.lower())]
    if len(found) == 1:
        return found
    known = ", ".join(printable(fact["name"]) for fact in facts) or "none"
    raise click.ClickException(
        f"{'several feeds are' if found else 'no feed is'} called {printable(feed)};"
        f" there are: {known}"
    )
