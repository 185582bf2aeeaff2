"""What all verbs share: opening the folder, errors as sentences with exit codes, output."""

from __future__ import annotations

import asyncio
import errno
import json
import re
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from rich.console import Console

from hypermultifeed.cli.control import remove_door
from hypermultifeed.core_names import decode_name_file
from hypermultifeed.errors import (
    BlockTooLargeError,
    CapabilityError,
    CorruptStorageError,
    DiscoveryError,
    FeedError,
    HypermultifeedError,
    NotWritableError,
    ReplicationError,
    StorageError,
    StorageLockedError,
)
from hypermultifeed.keys import parse_key
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.storage import files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence

    from hypermultifeed.hypercore import Hypercore

LOCK_PATIENCE_S: Final = 3.0
"""How long a verb waits for another process to let go of the folder: `append` during `tail -f`."""

LOCK_RETRY_S: Final = 0.05

NAME_BYTES_MAX: Final = 256

PERSIST_NAME: Final = re.compile(rb"@multifeed:([0-9a-f]{64}):@multifeed:persist")

T = TypeVar("T")

EXIT_CODES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (StorageLockedError, 4),
    (CorruptStorageError, 5),
    (StorageError, 3),
    (FeedError, 6),
    (ReplicationError, 7),
    (DiscoveryError, 7),
    (HypermultifeedError, 1),
    (ConnectionError, 7),
    (OSError, 1),
)
"""The first class that fits decides."""

ADVICE: Final[tuple[tuple[type[Exception], str], ...]] = (
    (
        StorageLockedError,
        "wait for it, or end it (`hypermultifeed stop`, or Ctrl-C there), then try again",
    ),
    (CorruptStorageError, "run `hypermultifeed doctor` to see what is left"),
    (BlockTooLargeError, "split it into smaller blocks"),
    (NotWritableError, "append with `--writer NAME` to a feed of your own"),
    (CapabilityError, "compare the key on both sides with `hypermultifeed key`"),
    (ConnectionRefusedError, "is `hypermultifeed share` running there, on that port?"),
    (socket.gaierror, "is the address right?"),
    (TimeoutError, "is the address right, and the peer awake?"),
)

ERRNO_ADVICE: Final = {
    errno.EADDRINUSE: "another program has that port; choose another with --port, or 0 for any",
    errno.EADDRNOTAVAIL: "this machine has no such address; see --host",
    errno.ENETUNREACH: "is there a network?",
}

errors = Console(stderr=True, highlight=False, soft_wrap=True)
"""Where remarks and progress go."""


class UnreachableError(ConnectionError):
    """No connection could be made; the cause says why."""


class AnsweredError(Exception):
    """Another command could not do what it was asked, and has put it into words already."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


class CodedGroup(click.Group):
    """A group whose verbs may raise any error of the library, or OSError from a socket."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; turn errors into a sentence and an exit code, Ctrl-C into 130."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # `| head` has had enough; click ends quietly
        except (HypermultifeedError, OSError) as error:
            code = getattr(error, "code", None)
            say(f"Error: {describe(error)}{f' [{code}]' if code else ''}")
            ctx.exit(exit_code_of(error))
        except AnsweredError as error:
            say(f"Error: {error}")
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            ctx.exit(130)


def exit_code_of(error: Exception) -> int:
    """What the process ends with after this error."""
    return next(exit_code for kind, exit_code in EXIT_CODES if isinstance(error, kind))


def describe(error: BaseException) -> str:
    """The error as a sentence, with advice where there is some."""
    cause = error.__cause__
    if isinstance(error, ReplicationError) and cause is not None:
        return f"{error}: {describe(cause)}"
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    said = cause if isinstance(error, UnreachableError) else error
    advice = next((said_so for kind, said_so in ADVICE if isinstance(said, kind)), None)
    if advice is None and isinstance(said, OSError):
        advice = ERRNO_ADVICE.get(said.errno or 0)
    return f"{text}; {advice}" if advice else text


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a verb's coroutine. Of several errors at once the first is raised."""
    try:
        asyncio.run(work)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from group


# --- the folder -----------------------------------------------------------------------------------


class Opened:
    """An open multifeed, and how its feeds are called here."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self.multi = Multifeed(folder, key=key, value_encoding="binary")
        self._events = self.multi.events()  # before ready(): the stored feeds are said then
        self._names: dict[bytes, str] = {}

    def feeds(self) -> list[tuple[str, Hypercore]]:
        """All feeds with their names, in order of arrival."""
        for event in self._events.fetch():
            self._names[event.feed.key] = event.name
        return [(self._names.get(feed.key, "?"), feed) for feed in self.multi.feeds()]


@asynccontextmanager
async def opened(context: click.Context) -> AsyncIterator[Opened]:
    """The multifeed in the folder that the options name."""
    folder, root_key = context.obj
    async with opened_in(Path(folder), root_key) as here:
        yield here


@asynccontextmanager
async def opened_in(folder: Path, root_key: str | None) -> AsyncIterator[Opened]:
    """Open a multifeed that exists, once the process that has it lets go.

    Raises:
        click.ClickException: there is none, or there are several and no key says which.
    """
    async with AsyncExitStack() as stack:
        yield await patiently(lambda: stack.enter_async_context(opening(folder, root_key)))


@asynccontextmanager
async def opening(folder: Path, root_key: str | None) -> AsyncIterator[Opened]:
    """Open a multifeed that exists, if nobody else has it.

    Raises:
        click.ClickException: there is none, or there are several and no key says which.
        StorageLockedError: somebody has it.
    """
    key = root_key_of(await root_keys(folder), folder, root_key)
    async with opening_as(folder, key) as here:
        yield here


@asynccontextmanager
async def opened_as(folder: Path, key: bytes) -> AsyncIterator[Opened]:
    """Open or create the multifeed of this root key, once the process that has it lets go."""
    async with AsyncExitStack() as stack:
        yield await patiently(lambda: stack.enter_async_context(opening_as(folder, key)))


@asynccontextmanager
async def opening_as(folder: Path, key: bytes) -> AsyncIterator[Opened]:
    """Open or create the multifeed of this root key; its values are bytes."""
    here = Opened(folder, key)
    try:
        await here.multi.ready()
        remove_door(folder)  # of a command that was killed: the lock is ours
        yield here
    finally:
        await here.multi.close()


async def patiently(attempt: Callable[[], Awaitable[T]], patience_s: float | None = None) -> T:
    """Try again for a while, 3 s unless told otherwise, when another process has the folder."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + (LOCK_PATIENCE_S if patience_s is None else patience_s)
    while True:
        try:
            return await attempt()
        except StorageLockedError:
            if loop.time() > deadline:
                raise
        await asyncio.sleep(LOCK_RETRY_S)


async def root_keys(folder: Path) -> list[bytes]:
    """The root keys of the multifeeds in a folder.

    The core in which a multifeed keeps its list of feeds has a name that holds the root key, and
    corestore writes names down (multifeed's index.js, corestore's index.js).
    """
    if not folder.is_dir():  # noqa: ASYNC240 - nothing else runs yet
        return []
    storage = files(folder)("relaxed")
    try:
        names = [file for file in storage.list_files() if file.endswith("/name")]
        contents = [storage.read(name, 0, NAME_BYTES_MAX) for name in names]
    finally:
        await storage.close()
    texts = [decode_name_file(content) or b"" for content in contents]
    found = [match for text in texts if (match := PERSIST_NAME.fullmatch(text))]
    return sorted(bytes.fromhex(match[1].decode()) for match in found)


def root_key_of(found: Sequence[bytes], folder: Path, root_key: str | None) -> bytes:
    """The key to open a folder with: the one that is asked for, or the only one there."""
    if root_key is not None:
        wanted = parsed_key(root_key)
        if wanted in found:
            return wanted
        raise click.ClickException(f"{folder} holds no multifeed of that key")
    if not found:
        raise click.ClickException(
            f"{folder} holds no multifeed; make one with `hypermultifeed create`, or fetch a"
            " peer's with `hypermultifeed clone`"
        )
    if len(found) > 1:
        raise click.ClickException(f"{folder} holds {len(found)} multifeeds; say --root-key")
    return found[0]


def parsed_key(text: str) -> bytes:
    """A key from hex; its text never appears in a message."""
    try:
        return parse_key(text.strip())
    except ValueError as error:
        raise click.ClickException(str(error)) from error


# --- output ---------------------------------------------------------------------------------------


def say_json(value: object) -> None:
    """One JSON value on a line of its own."""
    click.echo(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def counted(count: object, noun: str) -> str:
    """``1 block``, ``2 blocks``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def say(text: str) -> None:
    """A remark."""
    click.echo(text, err=True)


def printable(text: str) -> str:
    """Text that came from elsewhere, safe for a terminal."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def show(renderable: object) -> None:
    """A table on standard output; as wide as it needs where that is no terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)
    console.print(renderable)
