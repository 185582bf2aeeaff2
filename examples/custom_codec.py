"""A value encoding of one's own: any object with `encode` and `decode`.

Run it: .venv/bin/python examples/custom_codec.py
"""

from __future__ import annotations

import asyncio
import struct
from datetime import UTC, datetime
from typing import NamedTuple

from hypermultifeed import Codec, Hypercore, memory


class Reading(NamedTuple):
    """One measurement."""

    at: datetime
    celsius: float


class ReadingCodec:
    """Twelve bytes for a reading: milliseconds since 1970, then hundredths of a degree."""

    name = "reading"
    _layout = struct.Struct(">Qi")

    def encode(self, value: Reading) -> bytes:
        """The block for a reading."""
        return self._layout.pack(round(value.at.timestamp() * 1000), round(value.celsius * 100))

    def decode(self, data: bytes) -> Reading:
        """The reading in a block; a block of somebody else's may hold anything."""
        if len(data) != self._layout.size:
            raise ValueError(f"a reading has {self._layout.size} bytes, not {len(data)}")
        milliseconds, hundredths = self._layout.unpack(data)
        return Reading(datetime.fromtimestamp(milliseconds / 1000, UTC), hundredths / 100)


async def main() -> None:
    """Append readings, and read them back."""
    codec: Codec = ReadingCodec()
    noon = datetime(2024, 6, 1, 12, tzinfo=UTC)
    async with Hypercore(memory(), value_encoding=codec) as core:
        await core.extend([Reading(noon, 21.5), Reading(noon.replace(hour=13), 22.25)])
        print(core.byte_length, "bytes in", core.length, "blocks")
        async for reading in core.read():
            print(f"{reading.at:%H:%M}  {reading.celsius} °C")
        print("raw:", (await core.get(0, value_encoding="hex")))


asyncio.run(main())
