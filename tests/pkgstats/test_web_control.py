"""What verbs ask a running `serve`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx

from pkgstats.group import Group
from pkgstats.past_making import PastMaker
from pkgstats.records.model import CORES
from pkgstats.view.reading import View
from pkgstats.web.control import door_of
from pkgstats.web.door import new_secret

from .nodes import node

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pkgstats.node import Node

SECRET = new_secret()
KEY = b"\xab" * 32


@asynccontextmanager
async def asked(one: Node, secret: str = SECRET) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(door_of(one, SECRET, PastMaker(one))),
        base_url="http://127.0.0.1/control/",
        headers={b"authorization": f"Bearer {secret}".encode()},
    ) as http:
        yield http


async def test_the_owner_admits_and_revokes_through_a_running_node(tmp_path: Path) -> None:
    async with (
        node(tmp_path, Group.create(tmp_path), alone=True) as one,
        asked(one) as http,
    ):
        listed = (await http.post("admit", params={"key": KEY.hex(), "role": "watcher"})).json()
        assert listed["members"] == [{"key": KEY.hex(), "role": "watcher", "until": None}]
        listed = (await http.post("revoke", params={"key": KEY.hex(), "all": "1"})).json()
        assert listed["members"][0]["until"] == {}
        assert (await http.get("peers")).json() is None
        assert (await http.post("rebuild")).json() == {}
        with View.open(one.view_path) as view:
            assert view.group_list() is not None


async def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    async with node(tmp_path, Group(KEY), alone=True) as one, asked(one) as http:
        for request in (
            http.post("admit", params={"key": KEY.hex()}),
            http.post("admit", params={"key": "x"}),
            http.post("admit"),
            http.post("admit", params={"key": KEY.hex(), "role": "king"}),
            http.post("revoke", params={"key": KEY.hex()}),
        ):
            answer = await request
            assert answer.status_code == 400
            assert answer.json()["error"]


async def test_without_the_secret_nobody_is_answered(tmp_path: Path) -> None:
    async with node(tmp_path, Group.create(tmp_path), alone=True) as one:
        for secret in ("", "x", SECRET[:-1], "ü"):
            async with asked(one, secret) as http:
                assert (await http.get("peers")).status_code == 403
                assert (await http.post("admit", params={"key": KEY.hex()})).status_code == 403
        assert one.membership.listed() is None


async def test_peers_are_shown(tmp_path: Path) -> None:
    group = Group.create(tmp_path)
    async with (
        node(tmp_path, group) as one,
        node(tmp_path / "other", Group(group.key), one) as other,
        asked(one) as http,
    ):
        assert other.network is not None
        with other.network.events() as joined:
            if not other.network.peers:
                await anext(joined)
        report = (await http.get("peers")).json()
        assert report["addresses"][0][0] == "127.0.0.1"
        assert len(report["topics"]) == 5
        assert sorted(report["kinds"][one["key"]] for one in report["topics"]) == sorted(CORES)
        assert set(report["lengths"]) == {
            feed.key.hex() for multi in one.multis.values() for feed in multi.feeds()
        }
