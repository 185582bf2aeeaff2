"""What all verbs share: errors as sentences with advice and exit codes, and Ctrl-C."""

from __future__ import annotations

import asyncio
import errno
import socket
import sqlite3
import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from hypermultifeed import (
    CorruptStorageError,
    DiscoveryError,
    HypermultifeedError,
    ReplicationError,
    StorageError,
    StorageLockedError,
)
from pkgstats.child import ChildError
from pkgstats.cli.output import clean
from pkgstats.group import GroupError
from pkgstats.records.kinds import RecordError
from pkgstats.sources.errors import SourceError
from pkgstats.transfer import TransferError

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

EXIT_CODES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (StorageLockedError, 4),
    (CorruptStorageError, 5),
    (StorageError, 3),
    (ReplicationError, 7),
    (DiscoveryError, 7),
)
"""The first class that fits decides; all else is 1. The same as those of ``hypermultifeed``."""

ADVICE: Final[tuple[tuple[type[Exception], str], ...]] = (
    (
        StorageLockedError,
        "`pkgstats serve` or another verb has it; end that (Ctrl-C there), or see --data",
    ),
    (CorruptStorageError, "`hypermultifeed doctor` shows what is left of the feeds"),
    (sqlite3.DatabaseError, "`pkgstats rebuild` makes view and search index anew from the feeds"),
    (socket.gaierror, "is the address right?"),
)

ERRNO_ADVICE: Final = {
    errno.EADDRINUSE: "another program has that port; choose another, or 0 for any free one",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EACCES: "choose another folder with --data, or another port",
    errno.ENOSPC: "make room, then go on: nothing that was said to be kept is lost",
}

EXPECTED: Final = (
    HypermultifeedError,
    GroupError,
    ChildError,
    RecordError,
    SourceError,
    TransferError,
    sqlite3.Error,
    OSError,
)
"""Errors that are no bugs of ours; others show where they come from."""


class FoundNothing(click.exceptions.Exit):
    """There is no such thing, which was said already; scripts see it by the exit code."""

    def __init__(self) -> None:
        super().__init__(1)


class CodedGroup(click.Group):
    """A group of verbs: what goes wrong in them becomes a sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; Ctrl-C is 130."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # `| head` has had enough; click ends quietly
        except EXPECTED as error:
            click.echo(f"Error: {clean(describe(error))}", err=True)
            ctx.exit(exit_code_of(error))
        except KeyboardInterrupt:
            start = "\n" if sys.stderr.isatty() else ""
            click.echo(f"{start}interrupted; the next run goes on from here", err=True)
            ctx.exit(130)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a verb's coroutine. Of several errors at once the first is raised."""
    try:
        return asyncio.run(work)
    except BaseExceptionGroup as group:
        raise first_error(group) from None


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The innermost first error of a group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def exit_code_of(error: Exception) -> int:
    """What the process ends with after this error."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)


def describe(error: Exception) -> str:
    """The error as a sentence, with advice where there is some."""
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    advice = next((said for kind, said in ADVICE if isinstance(error, kind)), None)
    if advice is None and isinstance(error, OSError):
        advice = ERRNO_ADVICE.get(error.errno or 0)
    return f"{text}; {advice}" if advice else text
