"""Damage, full disks, locks and limits, seen from a multifeed: never wrong bytes, never silence."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from tests.faults.hostile import until, until_feed
from tests.faults.virtual_time import virtual_time

from hypermultifeed.errors import CorruptStorageError, StorageError, StorageLockedError
from hypermultifeed.hypercore import Hypercore
from hypermultifeed.keys import KeyPair
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.storage import Write, files, memory
from hypermultifeed.stream import link

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hypermultifeed.storage import Durability, Storage

ROOT = KeyPair.from_seed(b"\7" * 32).public_key
PAIR = KeyPair.from_seed(b"\1" * 32)
VALUES = [b"block %d" % number * 3 for number in range(40)]


async def synced(ours: Multifeed, theirs: Multifeed, reached: Callable[[], bool]) -> None:
    left, right = ours.replicate(True), theirs.replicate(False)  # noqa: FBT003
    joined = asyncio.create_task(link(left, right))
    await until(reached)
    await left.close()
    await joined


# --- damage --------------------------------------------------------------------------------------


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0x40]) + content[middle + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "a flipped bit in the middle": flip,
    "a flipped bit at the end": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "zeros": lambda content: bytes(len(content)),
    "cut in half": lambda content: content[: len(content) // 2],
    "the last byte gone": lambda content: content[:-1],
    "empty": lambda _: b"",
    "missing": lambda _: None,
    "garbage behind": lambda content: content + b"\xa5" * 100,
}


def set_content(file: Path, content: bytes | None) -> None:
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_any_file_of_a_copy_gives_no_wrong_byte_and_is_mended(
    tmp_path: Path, damage: str
) -> None:
    """Each file in turn: the error names it, or a peer makes the feed whole; never other bytes."""

    @virtual_time
    async def prepared() -> None:
        async with Multifeed(source_storage, key=ROOT) as source:
            feed = await source.writer("w", key_pair=PAIR)
            await feed.extend(VALUES)
            async with Multifeed(files(tmp_path / "db"), key=ROOT) as copy:
                await synced(
                    copy,
                    source,
                    lambda: (
                        copy.feed(PAIR.public_key) is not None
                        and copy.feed(PAIR.public_key).downloaded() == 40  # type: ignore[union-attr]
                    ),
                )

    source_storage = memory()
    prepared()
    shutil.copytree(tmp_path / "db", tmp_path / "kept")
    names = [file for file in (tmp_path / "db").rglob("*") if file.is_file()]
    assert len(names) > 10
    mended = 0
    told: list[str] = []
    for file in names:
        if not (before := file.read_bytes()):
            continue
        set_content(file, DAMAGES[damage](before))

        @virtual_time
        async def reopened() -> None:
            nonlocal mended
            try:
                copy = Multifeed(files(tmp_path / "db"), key=ROOT)
                await copy.ready()
            except StorageError as error:
                told.append(str(error))
                return
            async with copy, Multifeed(source_storage, key=ROOT) as source:
                feed = copy.feed(PAIR.public_key)
                if feed is not None:
                    for index in range(feed.length):
                        with suppress(StorageError, LookupError):
                            assert await feed.get(index, wait=False) == VALUES[index]
                left, right = copy.replicate(True), source.replicate(False)  # noqa: FBT003
                joined = asyncio.create_task(link(left, right))
                await left.opened()
                feed = await until_feed(copy, PAIR.public_key)
                await until(lambda: feed.downloaded() == 40)
                assert [await feed.get(index) for index in range(40)] == VALUES
                await left.close()
                await joined
                mended += 1

        reopened()
        shutil.rmtree(tmp_path / "db")
        shutil.copytree(tmp_path / "kept", tmp_path / "db")
    assert mended >= 2
    assert mended + len(told) >= 8
    assert all("file" in text or "multifeed" in text for text in told)


@virtual_time
async def test_another_master_key_is_refused_and_makes_no_new_identity() -> None:
    """A flipped bit in the master key would otherwise give an empty list and new writers."""
    storage = memory()
    async with Multifeed(storage, key=ROOT) as ours:
        await (await ours.writer("w")).append(b"here")
    opened = storage("full")
    master_key = opened.read("master_key", 0, 32)
    opened.commit([Write("master_key", 0, flip(master_key))])
    await opened.close()
    with pytest.raises(CorruptStorageError) as caught:
        await Multifeed(storage, key=ROOT).ready()
    assert caught.value.file == "master_key"
    opened = storage("full")
    opened.commit([Write("master_key", 0, master_key)])
    await opened.close()
    async with Multifeed(storage, key=ROOT) as ours:
        assert await (await ours.writer("w")).get(0) == b"here"


@virtual_time
async def test_a_folder_of_another_multifeed_is_refused_by_name() -> None:
    """The wrong root key on reopening is an error, and not an empty multifeed."""
    storage = memory()
    async with Multifeed(storage, key=ROOT) as ours:
        await (await ours.writer("w")).append(b"here")
    other = Multifeed(storage, key=PAIR.public_key)
    with pytest.raises(StorageError, match="another root key"):
        await other.ready()


# --- writing fails -------------------------------------------------------------------------------


class Full:
    """A storage whose disk is full while ``full`` says so."""

    def __init__(self, inner: Storage) -> None:
        self._inner = inner
        self.full = False

    def commit(self, writes: Sequence[Write]) -> None:
        if self.full:
            raise StorageError(os.strerror(errno.ENOSPC))
        self._inner.commit(writes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@virtual_time
async def test_a_reader_whose_disk_is_full_loses_that_feed_and_harms_nobody() -> None:
    """Its other feed on the same stream goes on; the writer too; with space again it resumes."""
    factory = memory()
    opened: list[Full] = []

    def full(durability: Durability) -> Any:
        opened.append(Full(factory(durability)))
        return opened[-1]

    async with (
        Hypercore(memory(), key_pair=PAIR) as source,
        Hypercore(memory()) as other,
        Hypercore(memory(), other.key) as fine,
    ):
        await source.extend(VALUES)
        await other.extend(VALUES)
        async with Hypercore(full, source.key) as copy:
            opened[0].full = True
            left = copy.replicate(True)  # noqa: FBT003
            fine.replicate(stream=left)
            right = source.replicate(False)  # noqa: FBT003
            other.replicate(stream=right)
            joined = asyncio.create_task(link(left, right))
            await until(lambda: fine.downloaded() == 40)
            assert copy.peers == []
            assert copy.downloaded() == 0
            assert copy.length == 0
            await other.append(b"later")
            assert await fine.get(40) == b"later"
            assert not left.closed
            await left.close()
            await joined
        async with Hypercore(full, source.key) as copy:
            left, right = copy.replicate(True, live=False), source.replicate(False, live=False)  # noqa: FBT003
            await link(left, right)
            assert copy.downloaded() == 40


@virtual_time
async def test_an_append_that_was_refused_was_not_announced() -> None:
    """A full disk under a writer: an error for the caller, no block for anybody."""
    inner = memory()("full")
    storage = Full(inner)
    async with Hypercore(storage, key_pair=PAIR) as core:
        await core.extend(VALUES[:3])
        async with Hypercore(memory(), core.key) as copy:
            left, right = copy.replicate(True), core.replicate(False)  # noqa: FBT003
            joined = asyncio.create_task(link(left, right))
            await until(lambda: copy.downloaded() == 3)
            storage.full = True
            for _ in range(3):
                with pytest.raises(StorageError):
                    await core.append(b"refused")
            storage.full = False
            assert await core.append(b"accepted") == 3
            assert await copy.get(3) == b"accepted"
            await left.close()
            await joined
    async with Hypercore(inner) as again:
        assert [await again.get(index) for index in range(again.length)] == [
            *VALUES[:3],
            b"accepted",
        ]


# --- locks, limits, secrets ----------------------------------------------------------------------


def test_a_folder_in_use_is_refused_and_freed(tmp_path: Path) -> None:
    """A second opening fails at once and names the holder; the death of the holder frees it."""
    program = (
        "import asyncio, sys\n"
        "from hypermultifeed import Multifeed\n"
        "async def main():\n"
        f"    async with Multifeed({str(tmp_path / 'db')!r}, key={ROOT.hex()!r}) as multi:\n"
        "        feed = await multi.writer('w')\n"
        "        await feed.append(b'kept')\n"
        "        print('ready', flush=True)\n"
        "        sys.stdin.readline()\n"
        "asyncio.run(main())\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )

    async def refused() -> None:
        with pytest.raises(StorageLockedError) as caught:
            await Multifeed(tmp_path / "db", key=ROOT).ready()
        assert str(holder.pid) in caught.value.holder

    async def free() -> None:
        async with Multifeed(tmp_path / "db", key=ROOT) as multi:
            feed = await multi.writer("w")
            assert await feed.get(0) == b"kept"
            assert await feed.append(b"more") == 1

    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder:
        assert holder.stdout.readline() == b"ready\n"
        asyncio.run(refused())
        holder.kill()
    asyncio.run(free())


def test_many_feeds_fit_few_descriptors(tmp_path: Path) -> None:
    """A thousand feeds with 256 descriptors: made, filled, closed, and opened again."""
    program = (
        "import asyncio, resource\n"
        "from hypermultifeed import Multifeed\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))\n"
        "async def main():\n"
        "    for turn in range(2):\n"
        f"        async with Multifeed({str(tmp_path / 'db')!r}, key={ROOT.hex()!r}) as multi:\n"
        "            for number in range(1000):\n"
        "                feed = await multi.writer(str(number))\n"
        "                if number % 10 == 0:\n"
        "                    await feed.append(b'%d' % number)\n"
        "            assert len(multi.feeds()) == 1000\n"
        "            assert (await multi.writer('990')).length == turn + 1\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.stderr == b""
    assert done.returncode == 0


def test_files_are_for_their_owner_alone_and_secrets_stay_in_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Modes 0600 and 0700 whatever the umask; no key in logs, output, names or representations."""
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []

    @virtual_time
    async def work() -> None:
        async with (
            Multifeed(files(tmp_path / "a"), key=ROOT) as ours,
            Multifeed(files(tmp_path / "b"), key=ROOT) as theirs,
        ):
            feed = await ours.writer("w", key_pair=PAIR)
            await feed.extend(VALUES)
            await synced(
                theirs,
                ours,
                lambda: bool(theirs.feeds()) and theirs.feeds()[0].downloaded() == 40,
            )
            shown.extend([repr(ours), repr(feed), repr(PAIR), repr(theirs.feeds()), str(ours)])
            shown.extend(map(str, (tmp_path / "a").rglob("*")))

    before = os.umask(0)
    try:
        work()
    finally:
        os.umask(before)
    for path in [tmp_path / "a", *(tmp_path / "a").rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)
    captured = capfd.readouterr()
    text = "\n".join([caplog.text, captured.out, captured.err, *shown])
    for secret in (ROOT, PAIR.secret_key, PAIR.secret_key[:32]):
        assert secret.hex() not in text
        assert repr(secret)[2:-1] not in text
