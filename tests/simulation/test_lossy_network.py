"""The simulated network loses packets, and the simulated TCP gives all bytes, in order."""

from __future__ import annotations

import asyncio
import random

import pytest
from tests.faults.virtual_time import virtual_time

from .lossy_network import SEGMENT_BYTES, Path, connect

OURS = ("10.0.0.1", 4000)
THEIRS = ("10.0.0.2", 4000)


@virtual_time
async def test_what_is_written_comes_whole_though_packets_get_lost() -> None:
    choice = random.Random(1)
    path = Path(choice)
    ours, theirs = await connect(path, OURS, THEIRS, lambda: True)
    sent = choice.randbytes(500_000)
    ours.write(sent)
    ours.write_eof()
    received = bytearray()
    while piece := await theirs.read(choice.randint(1, 10_000)):
        received += piece
    assert received == sent
    least = 2 * len(sent) / SEGMENT_BYTES  # as many acknowledgements come back
    assert path.packets > 1.2 * least


@virtual_time
async def test_what_is_cut_goes_on_later_and_a_dead_end_is_noticed_when_it_can_be() -> None:
    path = Path(random.Random(2))
    ours, theirs = await connect(path, OURS, THEIRS, lambda: True)
    path.up = False
    ours.write(b"late")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(theirs.read(10), 10.0)
    path.up = True
    assert await theirs.read(10) == b"late"
    path.up = False
    theirs.kill()
    ours.write(b"to nobody")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ours.read(10), 10.0)
    path.up = True
    with pytest.raises(ConnectionResetError):
        await ours.read(10)


@virtual_time
async def test_dialling_fails_as_it_does_in_life() -> None:
    path = Path(random.Random(3))
    with pytest.raises(ConnectionRefusedError):
        await connect(path, OURS, THEIRS, lambda: False)
    path.up = False
    with pytest.raises(TimeoutError):
        await connect(path, OURS, THEIRS, lambda: True)
