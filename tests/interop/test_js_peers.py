"""The peer programs work among themselves, so that a failure elsewhere is not theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .js_peer import JsError, JsPeer

if TYPE_CHECKING:
    from pathlib import Path


async def test_hypercores_replicate_and_end() -> None:
    async with JsPeer("hypercore") as left, JsPeer("hypercore") as right:
        feed = await left.call("open", feed="f")
        await left.append("f", [b"a", b"", b"ccc"])
        await right.call("open", feed="f", key=feed["key"])
        port = await left.call("listen", feeds=["f"], options={"live": False})
        connection = await right.call("connect", port=port, feeds=["f"], options={"live": False})
        end = await right.call("ended", connection=connection)
        assert end == {"error": None, "ended": True}
        assert await right.read("f") == [b"a", b"", b"ccc"]
        assert await right.call("audit", feed="f") == {"valid": 3, "invalid": 0}
        accepted = await left.call("accepted")
        assert (await left.call("ended", connection=accepted))["error"] is None


async def test_live_hypercores_and_extension() -> None:
    async with JsPeer("hypercore") as left, JsPeer("hypercore") as right:
        feed = await left.call("open", feed="f")
        await right.call("open", feed="f", key=feed["key"])
        for peer in (left, right):
            await peer.call("extension", feed="f", name="chat", encoding="utf-8")
        port = await left.call("listen", feeds=["f"], options={"live": True})
        await right.call("connect", port=port, feeds=["f"], options={"live": True})
        await left.call("fill", feed="f", count=20, prefix="b")
        info = await right.call("wait", feed="f", downloaded=20)
        assert info["length"] == 20
        assert await right.call("broadcast", feed="f", name="chat", message="hi")
        assert (await left.event("extension"))["message"] == {"value": "hi"}


async def test_multifeeds_exchange_feeds(tmp_path: Path) -> None:
    async with JsPeer("multifeed") as left, JsPeer("multifeed") as right:
        for peer, folder in ((left, tmp_path / "left"), (right, None)):
            await peer.call(
                "open", folder=folder and str(folder), rootKey="11" * 32, valueEncoding="json"
            )
            writer = await peer.call("writer", name="w")
            await peer.call("append", feed=writer["key"], values=[{"n": 1}])
        port = await left.call("listen")
        await right.call("connect", port=port)
        for peer in (left, right):
            assert await peer.call("settle", feeds=2, blocks=2) == {"feeds": 2, "blocks": 2}
            assert list((await peer.call("values")).values()) == [[{"n": 1}]] * 2


async def test_corestores_replicate() -> None:
    async with JsPeer("corestore") as left, JsPeer("corestore") as right:
        await left.call("open", masterKey="22" * 32)
        await right.call("open")
        core = await left.call("core", feed="c", how={"default": True})
        await left.append("c", [b"x"])
        await right.call("core", feed="c", how={"key": core["key"]})
        port = await left.call("listen")
        await right.call("connect", port=port)
        assert await right.get("c", 0) == b"x"


async def test_errors_are_told() -> None:
    async with JsPeer("hypercore") as peer:
        with pytest.raises(JsError, match="no such feed"):
            await peer.call("info", feed="missing")
        with pytest.raises(JsError, match="no such command"):
            await peer.call("dance")
        with pytest.raises(TimeoutError, match="no reply to accepted"):
            await peer.call("accepted", timeout_s=0.05)
