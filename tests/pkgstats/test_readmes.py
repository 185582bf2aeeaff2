"""Readmes come when somebody looks at one, and only that one."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from pkgstats.group import Group
from pkgstats.readmes import ReadmeError
from pkgstats.records.model import README_PART_BYTES, ReadmePart, Snapshot

from .nodes import AT, node, until

if TYPE_CHECKING:
    from pathlib import Path

    from pkgstats.writer import Writer


def digest_of(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=32).digest()


def parts_of(text: bytes) -> list[ReadmePart]:
    starts = range(0, len(text), README_PART_BYTES)
    return [
        ReadmePart(
            observed_at=AT,
            digest=digest_of(text),
            part=number,
            parts=len(starts),
            text=text[start : start + README_PART_BYTES],
        )
        for number, start in enumerate(starts)
    ]


def snapshot(name: str, digest: bytes | None, block: int | None) -> Snapshot:
    return Snapshot(
        observed_at=AT, name=name, version="1.0.0", readme_hash=digest, readme_block=block
    )


async def tell(writer: Writer, texts: dict[str, bytes]) -> None:
    for name, text in texts.items():
        block = writer.feeds["readme"].length
        await writer.append(parts_of(text))
        await writer.append([snapshot(name, digest_of(text), block)])


async def test_a_readme_is_fetched_when_it_is_looked_at(tmp_path: Path) -> None:
    texts = {
        "short": b"# short",
        "long": bytes(range(32, 127)) * 1500,
        "other": "# other ü".encode(),
    }
    (tmp_path / "teller").mkdir()
    group = Group.create(tmp_path / "teller")
    async with node(tmp_path / "teller", group) as teller:
        writer = await teller.write("teller")
        await tell(writer, texts)
        await writer.append([snapshot("none", None, None), snapshot("lost", b"?" * 32, 0)])
        async with node(tmp_path / "reader", group, teller) as reader:
            await until(reader, lambda: reader._view.package("lost") is not None)
            feed = writer.feeds["readme"].key
            await until(reader, lambda: reader.multis["readme"].feed(feed) is not None)
            copy = reader.multis["readme"].feed(feed)
            assert copy is not None
            assert copy.downloaded() == 0
            assert await reader.readme("short") == "# short"
            assert copy.downloaded() == 1
            assert await reader.readme("long") == texts["long"].decode()
            assert copy.downloaded() == 1 + 3
            for name in ("none", "lost", "unheard-of"):
                with pytest.raises(ReadmeError):
                    await reader.readme(name)
    async with node(tmp_path / "reader", group, alone=True) as reader:
        assert await reader.readme("long") == texts["long"].decode()


async def test_a_readme_that_is_another_one_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "liar").mkdir()
    group = Group.create(tmp_path / "liar")
    async with node(tmp_path / "liar", group, alone=True) as liar:
        writer = await liar.write("liar")
        (part,) = parts_of(b"# said")
        forged = ReadmePart(observed_at=AT, digest=part.digest, text=b"# forged")
        await writer.append([forged])
        await writer.append([snapshot("a", part.digest, 0)])
        await liar.catch_up()
        with pytest.raises(ReadmeError, match="not the one"):
            await liar.readme("a")
