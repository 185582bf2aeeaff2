"""The fake registry itself: what it answers must be what registries answer."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.pkgstats.fake_registry import FakeRegistry, faults


async def get(url: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(url, headers=headers)


async def value(url: str) -> Any:
    return (await get(url)).json()


async def test_it_answers_packuments_manifests_and_tarballs() -> None:
    async with FakeRegistry() as registry:
        registry.npm.publish("@a/b", "1.0.0", description="first", keywords=["x"])
        document = await value(f"{registry.url}/@a%2fb")
        assert document["dist-tags"] == {"latest": "1.0.0"}
        assert document["maintainers"][0]["name"] == "ada"
        manifest = await value(f"{registry.url}/@a%2fb/latest")
        tarball = await get(manifest["dist"]["tarball"])
        assert tarball.content[:2] == b"\x1f\x8b"
        registry.thin = True
        assert "maintainers" not in await value(f"{registry.url}/@a%2fb")
        assert (await get(f"{registry.url}/-/v1/search?text=b")).status_code == 404


async def test_downloads_follow_the_contract() -> None:
    async with FakeRegistry() as registry:
        for name in ("a", "b", "@s/c"):
            registry.npm.publish(name)
            registry.npm.count(name, 20_000, [1, 2, 3])
        address = f"{registry.downloads_url}/downloads/range/2024-10-04:2024-10-06"
        series = await value(f"{address}/a")
        assert [day["downloads"] for day in series["downloads"]] == [1, 2, 3]
        many = await value(f"{address}/a,unknown,b")
        assert many["unknown"] is None
        assert (await value(f"{address}/,a")).keys() == {"a"}
        assert (await get(f"{address}/a,@s/c")).status_code == 400
        assert (await get(f"{address}/{','.join(['a'] * 129)}")).status_code == 400
        old = await value(f"{registry.downloads_url}/downloads/range/2020-01-01:2024-10-06/a")
        assert len(old["downloads"]) == 540


async def test_faults_come_as_often_as_scripted() -> None:
    async with FakeRegistry() as registry:
        registry.npm.publish("a")
        registry.script("/a", faults.refusal("7"), times=2)
        for _ in range(2):
            refused = await get(f"{registry.url}/a")
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "7")
        assert (await get(f"{registry.url}/a")).status_code == 200
        registry.script("/a", faults.hang_up())
        with pytest.raises(httpx.RemoteProtocolError):
            await get(f"{registry.url}/a")
        assert registry.asked == ["/a"] * 4


async def test_searches_are_refused_after_ten() -> None:
    async with FakeRegistry() as registry:
        registry.npm.publish("a")
        search = f"{registry.url}/-/v1/search?text=a"
        answers = [(await get(search)).status_code for _ in range(11)]
        assert answers == [200] * 10 + [429]
        registry.new_window()
        assert (await value(search))["total"] == 1


async def test_changes_come_in_pages_and_can_be_renumbered() -> None:
    async with FakeRegistry() as registry:
        for name in ("a", "b", "a"):
            registry.npm.publish(name, f"1.{len(registry.npm.changes)}.0")
        changes = f"{registry.changes_url}/_changes"
        page = await value(f"{changes}?since=0&limit=1")
        assert (page["results"][0]["id"], page["last_seq"]) == ("b", 2)
        registry.npm.reset_sequence()
        assert (await value(f"{changes}?since=3"))["last_seq"] == 2
        names = await value(f"{registry.changes_url}/_all_docs?startkey=%22b%22")
        assert [row["id"] for row in names["rows"]] == ["b"]
