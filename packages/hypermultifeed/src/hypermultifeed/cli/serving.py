"""The command that has a folder open answers others: see `control` for how they talk."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any, Final, Self

import click

from hypermultifeed.cli.control import (
    BLOCKS_BYTES_MAX,
    BLOCKS_MAX,
    HANDSHAKE_TIMEOUT_S,
    HOST,
    ControlError,
    Conversation,
    answer_greeting,
    new_door,
    remove_door,
    write_door,
)
from hypermultifeed.cli.running import describe, exit_code_of
from hypermultifeed.errors import HypermultifeedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from hypermultifeed.cli.folder import Folder

    Fields = dict[str, Any]
    Verb = Callable[[Conversation, Fields], Awaitable[Fields]]

ASKERS_MAX: Final = 32
"""Connections at once; who proves nothing loses his after a moment."""

KEY: Final = re.compile("[0-9a-f]{64}")

_log = logging.getLogger("hypermultifeed.cli")


class ControlServer:
    """Answers later commands of the same user while its ``async with`` block runs.

    Args:
        folder: whose lock this process has.
        verbs: what can be asked. Each gets the conversation, for what is said on the way, and
            the fields of the request; what it returns is the last answer.
    """

    def __init__(self, folder: Path, verbs: Mapping[str, Verb]) -> None:
        self._folder = folder
        self._verbs = verbs
        self._askers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self._door = new_door(self._server.sockets[0].getsockname()[1])
        try:
            write_door(self._folder, self._door)
        except BaseException:
            self._server.close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        remove_door(self._folder)
        self._server.close()
        for asker in list(self._askers):
            asker.cancel()
        await asyncio.gather(*self._askers, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._askers) >= ASKERS_MAX:
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None
        self._askers.add(task)
        conversation = Conversation(reader, writer)
        try:
            await self._converse(conversation)
        except (ControlError, OSError) as error:  # TimeoutError is an OSError
            _log.info("a command that asked was not answered: %s", error)
        except asyncio.CancelledError:
            return  # we end; nobody waits for this task but ourselves
        finally:
            self._askers.discard(task)
            writer.close()

    async def _converse(self, conversation: Conversation) -> None:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
            known = await answer_greeting(conversation, self._door.secret)
        while known and (request := await conversation.receive()) is not None:
            await conversation.send(await self._answer(conversation, request.fields))

    async def _answer(self, conversation: Conversation, fields: Fields) -> Fields:
        verb = self._verbs.get(str(fields.get("verb")))
        if verb is None:
            return failure(ControlError("the running command cannot be asked that"))
        try:
            return {"end": await verb(conversation, fields)}
        except ControlError:
            raise  # the asker is gone, or talks nonsense
        except (HypermultifeedError, click.ClickException) as error:
            return failure(error)


def failure(error: HypermultifeedError | click.ClickException) -> Fields:
    """An error as the asker shows it."""
    if isinstance(error, click.ClickException):
        return {"error": error.message, "exit_code": error.exit_code}
    return {
        "error": f"{describe(error)} [{error.code}]",
        "exit_code": exit_code_of(error),
    }


class FolderVerbs:
    """What can be asked about an open folder: key, feeds, blocks, append."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def verbs(self) -> dict[str, Verb]:
        """By name."""
        return {
            "key": self._key,
            "feeds": self._feeds,
            "blocks": self._blocks,
            "append": self._append,
        }

    async def _key(self, _conversation: Conversation, _fields: Fields) -> Fields:
        return {"key": self._folder.key.hex()}

    async def _feeds(self, conversation: Conversation, _fields: Fields) -> Fields:
        for fact in await self._folder.feeds():
            await conversation.send({"feed": fact})
        return {}

    async def _blocks(self, conversation: Conversation, fields: Fields) -> Fields:
        """Blocks of one feed, several in a message; ``indexes`` says which."""
        feed, start, stop = _range_of(fields)
        indexes: list[int] = []
        blocks: list[bytes] = []
        size = 0
        async for index, block in self._folder.blocks(feed, start, stop):
            if blocks and (size + len(block) > BLOCKS_BYTES_MAX or len(blocks) >= BLOCKS_MAX // 2):
                await conversation.send({"indexes": indexes}, blocks)
                await asyncio.sleep(0)  # peers are served in between
                indexes, blocks, size = [], [], 0
            indexes.append(index)
            blocks.append(block)
            size += len(block)
        if blocks:
            await conversation.send({"indexes": indexes}, blocks)
        return {}

    async def _append(self, conversation: Conversation, fields: Fields) -> Fields:
        """Append what comes, message by message; each answer says that it is kept."""
        name = fields.get("writer")
        if not isinstance(name, str):
            raise ControlError("append without a writer's name")
        writer = await self._folder.writer(name)
        await conversation.send({"key": writer.key, "length": writer.length})
        while (message := await conversation.receive()) is not None and message.blocks:
            await writer.extend(message.blocks)
            await conversation.send({"length": writer.length})
        return {"length": writer.length}


def _range_of(fields: Fields) -> tuple[str, int, int]:
    feed, start, stop = (fields.get(name) for name in ("feed", "start", "stop"))
    if not isinstance(feed, str) or not KEY.fullmatch(feed):
        raise ControlError("blocks without the key of a feed")
    if type(start) is not int or type(stop) is not int or start < 0:
        raise ControlError("blocks without a range")
    return feed, start, stop
