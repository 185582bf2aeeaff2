"""Messages of applications over all connections of a networker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.faults.virtual_time import virtual_time
from tests.networks import sites, until


@virtual_time
async def test_messages_go_to_every_peer_and_say_from_whom() -> None:
    async with sites(3) as (a, b, c):
        got: list[tuple[str, Any, bytes]] = []

        def receiver(name: str) -> Any:
            return lambda message, peer: got.append((name, message, peer.remote_public_key))

        ours = a.network.register_extension("x", encoding="utf-8", on_message=receiver("a"))
        b.network.register_extension("x", encoding="utf-8", on_message=receiver("b"))
        await a.meet(b)
        await a.meet(c)
        late = c.network.register_extension("x", encoding="utf-8", on_message=receiver("c"))
        key = a.network.public_key
        assert ours.broadcast("all") == 2
        await until(lambda: len(got) == 2)
        assert sorted(got) == [("b", "all", key), ("c", "all", key)]
        ours.send("one", a.network.peers[1])
        late.send("back", c.network.peers[0])
        await until(lambda: len(got) == 4)
        assert sorted(got[2:]) == [("a", "back", c.network.public_key), ("c", "one", key)]
        await b.network.close()
        await until(lambda: len(a.network.peers) == 1)
        assert ours.broadcast("all") == 1


@virtual_time
async def test_several_of_one_name_and_other_encodings() -> None:
    async with sites(2) as (a, b):
        got: list[Any] = []
        first = b.network.register_extension("x", encoding="json", on_message=_noting(got))
        b.network.register_extension("x", encoding="binary", on_message=_noting(got))
        b.network.register_extension("x")
        await a.meet(b)
        ours = a.network.register_extension("x", encoding="json")
        ours.broadcast({"n": 1})
        await until(lambda: len(got) == 2)
        assert got == [{"n": 1}, b'{"n":1}']
        first.destroy()
        first.destroy()
        ours.broadcast([2])
        await until(lambda: len(got) == 3)
        assert got[2] == b"[2]"


@virtual_time
async def test_names_are_told_anew_when_they_change() -> None:
    async with sites(2) as (a, b):
        got: list[Any] = []
        b.network.register_extension("m", encoding="utf-8", on_message=_noting(got))
        await a.meet(b)
        middle = a.network.register_extension("m", encoding="utf-8")
        middle.broadcast("1")
        before = a.network.register_extension("a")  # takes the number that was m's
        middle.broadcast("2")
        before.destroy()
        assert before.broadcast(b"") == 0
        middle.broadcast("3")
        await until(lambda: len(got) == 3)
        assert got == ["1", "2", "3"]


@virtual_time
async def test_bad_messages_and_handlers_harm_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with sites(2) as (a, b):
        got: list[Any] = []
        errors: list[Any] = []

        def failing(*_: Any) -> None:
            raise RuntimeError("no")

        b.network.register_extension("x", encoding="json", on_message=failing)
        b.network.register_extension(
            "x", encoding="json", on_message=_noting(got), on_error=lambda *e: errors.append(e)
        )
        b.network.register_extension("x", encoding="json", on_message=_noting(got))
        await a.meet(b)
        ours = a.network.register_extension("x")
        ours.broadcast(b"{")
        ours.broadcast(b"1")
        await until(lambda: len(got) == 2)
        assert got == [1, 1]
        ((error, peer),) = errors
        assert isinstance(error, ValueError)
        assert peer is b.network.peers[0]
        assert "a handler of the extension 'x' failed" in caplog.text


@virtual_time
async def test_name_that_a_stream_has_already() -> None:
    async with sites(2) as (a, b):
        peer = await a.meet(b)
        peer.stream.register_extension("x")
        with pytest.raises(ValueError, match="'x'"):
            a.network.register_extension("x")
        assert a.network.register_extension("y").broadcast(b"") == 1
        await asyncio.sleep(0)


def _noting(got: list[Any]) -> Any:
    return lambda message, _peer: got.append(message)
