"""How two commands on one folder talk: who is who, and what a message is.

The command that has a folder open listens on a loopback port and writes that port, with a fresh
secret, into a file of the folder that only its user can read. A second command finds the folder
locked, reads the file and connects. Both prove that they know the secret before anything else is
said, so neither another user nor a program that got a dead command's port learns anything. A file
left behind by a killed command leads nowhere, and the next one replaces it.

A message is one line of JSON. Its ``sizes`` are those of the blocks that follow it, as raw bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import stat
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from hypermultifeed import crypto
from hypermultifeed.feed.layout import RECEIVED_BLOCK_BYTES_MAX
from hypermultifeed.storage.disk import RESERVED_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

VERSION: Final = 1

FILE_NAME: Final = f"{RESERVED_PREFIX}.control"
"""In the folder; the storage ignores names that begin so."""

HOST: Final = "127.0.0.1"

HANDSHAKE_TIMEOUT_S: Final = 2.0
"""How long either side may take to prove who it is: both are on this machine."""

ANSWER_TIMEOUT_S: Final = 30.0
"""How long the asker waits for each message: a slow disk's sync is among what it waits for."""

LINE_BYTES_MAX: Final = 1 << 16
"""Longest line. A feed's facts take about 1 KiB."""

GREETING_BYTES_MAX: Final = 512
"""Longest line from somebody who has proved nothing yet."""

BLOCKS_MAX: Final = 4096
"""Blocks in one message: their sizes have to fit into its line."""

BLOCKS_BYTES_MAX: Final = RECEIVED_BLOCK_BYTES_MAX
"""Bytes of all blocks in one message: at least one block of any size."""

_FILE_BYTES_MAX: Final = 1024
_SECRET_BYTES: Final = 32
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)


class ControlError(click.ClickException):
    """The other command cannot be talked to; it has the folder, hence the exit code."""

    exit_code = 4


class Message(NamedTuple):
    """What one side says at a time."""

    fields: dict[str, Any]
    blocks: list[bytes]


class Conversation:
    """One connection between two commands."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, fields: dict[str, Any], blocks: Sequence[bytes] = ()) -> None:
        """Say something, and wait until there is room for more.

        Raises:
            OSError: the other side has gone.
        """
        if blocks:
            fields = {**fields, "sizes": [len(block) for block in blocks]}
        self._writer.write(json.dumps(fields, separators=(",", ":")).encode() + b"\n")
        self._writer.writelines(blocks)
        await self._writer.drain()

    async def receive(self, line_bytes_max: int = LINE_BYTES_MAX) -> Message | None:
        """The next message; None at the end.

        Raises:
            ControlError: what came is no message, or was cut off.
        """
        try:
            line = await self._reader.readuntil(b"\n")
            fields = _checked_fields(line, line_bytes_max)
            sizes = _checked_sizes(fields.get("sizes", []))
            blocks = [await self._reader.readexactly(size) for size in sizes]
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise ControlError("the other command was cut off") from error
            return None
        except (ValueError, RecursionError, asyncio.LimitOverrunError) as error:
            raise ControlError("the other command does not speak clearly") from error
        return Message(fields, blocks)

    async def close(self) -> None:
        """End it."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


def _checked_fields(line: bytes, line_bytes_max: int) -> dict[str, Any]:
    fields = json.loads(line) if len(line) <= line_bytes_max else None
    if isinstance(fields, dict):
        return fields
    raise ValueError("not an object, or a long one")


def _checked_sizes(sizes: object) -> list[int]:
    if (
        isinstance(sizes, list)
        and len(sizes) <= BLOCKS_MAX
        and all(type(size) is int and size >= 0 for size in sizes)
        and sum(sizes) <= BLOCKS_BYTES_MAX
    ):
        return sizes
    raise ValueError("not the sizes of blocks, or too much")


def batches(blocks: Sequence[bytes]) -> list[list[bytes]]:
    """Cut blocks, none larger than a message may be, into what fits into messages."""
    cut: list[list[bytes]] = []
    room = -1
    for block in blocks:
        if len(block) > room or len(cut[-1]) >= BLOCKS_MAX:
            cut.append([])
            room = BLOCKS_BYTES_MAX
        cut[-1].append(block)
        room -= len(block)
    return cut


# --- who is who -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Door:
    """Where a command listens, and the secret that only its user can know."""

    port: int
    secret: bytes = field(repr=False)


def new_door(port: int) -> Door:
    """A door with a fresh secret."""
    return Door(port, secrets.token_bytes(_SECRET_BYTES))


def write_door(folder: Path, door: Door) -> None:
    """Tell later commands of the same user where to knock; replaces what a dead command said."""
    path = folder / FILE_NAME
    path.unlink(missing_ok=True)
    fact = {"version": VERSION, "port": door.port, "secret": door.secret.hex()}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(json.dumps(fact).encode() + b"\n")


def remove_door(folder: Path) -> None:
    """Take the file away; only whoever has the folder's lock may."""
    with contextlib.suppress(OSError):
        (folder / FILE_NAME).unlink()


def is_answered(folder: Path) -> bool:
    """Whether a command seems to answer for this folder."""
    return (folder / FILE_NAME).exists()


def read_door(folder: Path) -> Door | None:
    """Where the running command listens; None if nothing says so, or nothing trustworthy.

    Raises:
        ControlError: it runs in another version.
    """
    try:
        descriptor = os.open(folder / FILE_NAME, os.O_RDONLY | _NO_FOLLOW)
        with open(descriptor, "rb") as file:
            if not _is_private(file.fileno(), folder):
                return None
            fact = json.loads(file.read(_FILE_BYTES_MAX))
        version, door = fact["version"], Door(fact["port"], bytes.fromhex(fact["secret"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # nobody runs, or is just writing it
    if version != VERSION:
        raise ControlError(
            "the folder is open in another version of hypermultifeed; end that command first"
        )
    fits = type(door.port) is int and 0 < door.port < 1 << 16 and len(door.secret) == _SECRET_BYTES
    return door if fits else None


def _is_private(descriptor: int, folder: Path) -> bool:
    """Whether the file is the folder's owner's, and nobody else's."""
    if sys.platform == "win32":
        return True  # it inherits the folder's access list
    status = os.fstat(descriptor)
    return status.st_uid == folder.stat().st_uid and not stat.S_IMODE(status.st_mode) & 0o077


async def greet(conversation: Conversation, secret: bytes) -> bool:
    """The asker's part: whether the other side knows the secret; then it knows that we do."""
    ours = secrets.token_bytes(_SECRET_BYTES)
    await conversation.send({"version": VERSION, "nonce": ours.hex()})
    answer = await conversation.receive(GREETING_BYTES_MAX)
    if answer is None:
        return False
    nonces = ours + _hex_field(answer, "nonce")
    if not _is_proved(answer, secret, b"holder", nonces):
        return False
    await conversation.send({"proof": _proof(secret, b"asker", nonces).hex()})
    return True


async def answer_greeting(conversation: Conversation, secret: bytes) -> bool:
    """The holder's part: whether the asker knows the secret."""
    greeting = await conversation.receive(GREETING_BYTES_MAX)
    if greeting is None:
        return False
    ours = secrets.token_bytes(_SECRET_BYTES)
    nonces = _hex_field(greeting, "nonce") + ours
    proof = _proof(secret, b"holder", nonces)
    await conversation.send({"version": VERSION, "nonce": ours.hex(), "proof": proof.hex()})
    answer = await conversation.receive(GREETING_BYTES_MAX)
    return answer is not None and _is_proved(answer, secret, b"asker", nonces)


def _proof(secret: bytes, role: bytes, nonces: bytes) -> bytes:
    return crypto.blake2b_256(role + nonces, secret)


def _is_proved(message: Message, secret: bytes, role: bytes, nonces: bytes) -> bool:
    return crypto.equal(_hex_field(message, "proof"), _proof(secret, role, nonces))


def _hex_field(message: Message, name: str) -> bytes:
    try:
        value = bytes.fromhex(message.fields.get(name, ""))
    except (TypeError, ValueError):
        value = b""
    return value if len(value) == _SECRET_BYTES else bytes(_SECRET_BYTES)
