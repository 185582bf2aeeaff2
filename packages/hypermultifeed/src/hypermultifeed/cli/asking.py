"""The second command asks the one that has the folder open: see `control` for how they talk."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hypermultifeed.cli.control import (
    ANSWER_TIMEOUT_S,
    HANDSHAKE_TIMEOUT_S,
    HOST,
    ControlError,
    Conversation,
    Message,
    batches,
    greet,
    read_door,
)
from hypermultifeed.cli.folder import FeedFacts, Folder, LocalFolder, Writer
from hypermultifeed.cli.running import AnsweredError, opening, parsed_key, patiently
from hypermultifeed.errors import BlockTooLargeError, StorageLockedError
from hypermultifeed.feed.layout import BLOCK_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


class Holder:
    """The command that has the folder open."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    async def ask(self, verb: str, **fields: Any) -> dict[str, Any]:
        """Ask for something that is answered at once.

        Raises:
            AnsweredError: it could not do it.
            ControlError: it does not answer.
        """
        await self.tell({"verb": verb, **fields})
        message = await self.hear()
        answer: dict[str, Any] = message.fields.get("end", message.fields)
        return answer

    async def replies(self, verb: str, **fields: Any) -> AsyncIterator[Message]:
        """Ask, and get what is said before the end."""
        await self.tell({"verb": verb, **fields})
        while "end" not in (message := await self.hear()).fields:
            yield message

    async def tell(self, fields: dict[str, Any], blocks: Sequence[bytes] = ()) -> None:
        """Say something in the course of an answer."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._conversation.send(fields, blocks)
        except OSError as error:
            raise _silence(error) from error

    async def hear(self) -> Message:
        """The next message of an answer."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                message = await self._conversation.receive()
        except OSError as error:
            raise _silence(error) from error
        if message is None:
            raise ControlError("the command that has the folder open has just ended; try again")
        if "error" in message.fields:
            text, code = message.fields["error"], message.fields.get("exit_code")
            raise AnsweredError(str(text), code if isinstance(code, int) else 1)
        return message


def _silence(error: OSError) -> ControlError:
    if isinstance(error, TimeoutError):
        return ControlError(
            f"the command that has the folder open does not answer within {ANSWER_TIMEOUT_S:.0f} s;"
            " see whether it is stopped or busy, or end it"
        )
    return ControlError("the command that has the folder open has just ended; try again")


@asynccontextmanager
async def asked(folder: Path) -> AsyncIterator[Holder | None]:
    """The command that has the folder open, or None if none answers there.

    Raises:
        ControlError: it is of another version.
    """
    conversation = await _introduced(folder)
    if conversation is None:
        yield None
        return
    try:
        yield Holder(conversation)
    finally:
        await conversation.close()


async def _introduced(folder: Path) -> Conversation | None:
    door = read_door(folder)
    if door is None:
        return None
    conversation = None
    known = False
    try:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
            conversation = Conversation(*await asyncio.open_connection(HOST, door.port))
            known = await greet(conversation, door.secret)
    except (OSError, ControlError):
        known = False  # a killed command's port, or somebody else's by now
    finally:
        if conversation is not None and not known:
            await conversation.close()
    return conversation if known else None


class AskedFolder:
    """A multifeed that another command has open."""

    def __init__(self, holder: Holder, key: bytes) -> None:
        self._holder = holder
        self._key = key

    @property
    def key(self) -> bytes:
        """The root key."""
        return self._key

    async def feeds(self) -> list[FeedFacts]:
        """All feeds, in order of arrival."""
        return [message.fields["feed"] async for message in self._holder.replies("feeds")]

    async def blocks(self, feed: str, start: int, stop: int) -> AsyncIterator[tuple[int, bytes]]:
        """Those of blocks ``[start, stop)`` that are there."""
        replies = self._holder.replies("blocks", feed=feed, start=start, stop=stop)
        async for message in replies:
            for found in zip(message.fields["indexes"], message.blocks, strict=True):
                yield found

    async def writer(self, name: str) -> Writer:
        """A feed of our own."""
        return AskedWriter(self._holder, await self._holder.ask("append", writer=name))


class AskedWriter:
    """A feed of our own that another command appends to for us.

    The conversation is about this feed from now on.
    """

    def __init__(self, holder: Holder, fields: dict[str, Any]) -> None:
        self._holder = holder
        self.key = str(fields["key"])
        self.length = int(fields["length"])
        self.appended = 0

    async def extend(self, blocks: Sequence[bytes]) -> None:
        """Append; returns when the blocks are durable there."""
        largest = max(map(len, blocks), default=0)
        if largest > BLOCK_BYTES_MAX:
            raise BlockTooLargeError(f"a block of {largest} bytes; the limit is {BLOCK_BYTES_MAX}")
        for batch in batches(blocks):
            await self._holder.tell({}, batch)
            answer = await self._holder.hear()
            self.length = int(answer.fields["length"])
            self.appended += len(batch)


@asynccontextmanager
async def reached(context: click.Context) -> AsyncIterator[Folder]:
    """The multifeed that the options name: opened here, or through whoever has it open.

    Raises:
        click.ClickException: there is none, or another one than asked for.
        StorageLockedError: somebody has it and answers no questions.
    """
    path, root_key = context.obj
    async with AsyncExitStack() as stack:
        yield await patiently(lambda: _reach(stack, Path(path), root_key))


async def _reach(stack: AsyncExitStack, path: Path, root_key: str | None) -> Folder:
    try:
        return LocalFolder(await stack.enter_async_context(opening(path, root_key)))
    except StorageLockedError:
        holder = await stack.enter_async_context(asked(path))
        if holder is None:
            raise
    key = parsed_key(str((await holder.ask("key")).get("key")))
    if root_key is not None and parsed_key(root_key) != key:
        raise click.ClickException(f"{path} is open with another multifeed's key")
    return AskedFolder(holder, key)
