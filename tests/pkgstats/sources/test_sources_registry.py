"""What a registry is asked, over real HTTP."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.pkgstats.fake_registry import SEARCH_WINDOW, faults

from pkgstats.sources import facts
from pkgstats.sources.errors import AnswerError, MissingError, StatusError
from pkgstats.sources.registry import Registry, encoded_name, read_hit

from .asking import asking


async def test_packuments_are_one_request_each() -> None:
    async with asking() as one:
        one.fake.npm.publish("@types/node", "1.0.0", description="types", readme="# é")
        full = await one.registry.packument("@types/node")
        short = await one.registry.abbreviated("@types/node")
        latest = await one.registry.latest("@types/node")
        assert one.fake.asked == ["/@types%2Fnode", "/@types%2Fnode", "/@types%2Fnode/latest"]
        assert full.value["readme"] == "# é"
        assert "readme" not in short.value
        assert latest.value["description"] == "types"
        assert full.observed_at == int(one.clock.now * 1000)


@pytest.mark.parametrize("name", ["", "..", "a/b", "@a", "a b", "a?b", "../../-/x", "x" * 300])
async def test_names_that_none_can_have_are_not_asked_for(name: str) -> None:
    async with asking() as one:
        with pytest.raises(AnswerError):
            await one.registry.packument(name)
        assert one.fake.asked == []


def test_names_are_one_part_of_a_path() -> None:
    assert encoded_name("@types/node") == "@types%2Fnode"
    assert encoded_name("left-pad") == "left-pad"


async def test_a_tarball_is_fetched_compared_and_read() -> None:
    async with asking() as one:
        files = {"a.js": b"x" * 50_000, "README.md": b"# hello"}
        one.fake.npm.publish("@s/a", "1.0.0", files=files)
        manifest = (await one.registry.latest("@s/a")).value
        found = await one.registry.tarball(manifest)
        assert found.readme == "# hello"
        assert (found.unpacked, found.files) == (
            manifest["dist"]["unpackedSize"],
            manifest["dist"]["fileCount"],
        )
        one.fake.script("/@s/a/-/", faults.body(b"another"))
        with pytest.raises(AnswerError, match="manifest names"):
            await one.registry.tarball(manifest)


async def test_a_tarball_elsewhere_is_looked_for_here() -> None:
    """A mirror may leave its source's address in; nobody is asked who was not named."""
    async with asking() as one:
        one.fake.npm.publish("@s/a", "1.0.0+b", readme="# a")
        manifest = (await one.registry.latest("@s/a")).value
        for address in ("https://cdn.example.org/a.tgz", "http://[", 5, None):
            manifest["dist"]["tarball"] = address
            assert (await one.registry.tarball(manifest)).readme == "# a"
        assert one.fake.asked[-1] == "/@s/a/-/a-1.0.0%2Bb.tgz"
        with pytest.raises(AnswerError, match="name"):
            await one.registry.tarball({"version": "1.0.0"})


async def test_scopes_go_to_registries_of_their_own() -> None:
    async with asking() as one:
        one.fake.npm.publish("@work/a")
        elsewhere = replace(
            one.addresses, registry="http://127.0.0.1:1", scopes={"work": one.fake.url}
        )
        registry = Registry(one.client, elsewhere)
        manifest = (await registry.latest("@work/a")).value
        assert (await registry.tarball(manifest)).files == 3


async def test_searches_come_in_pages_of_250() -> None:
    async with asking() as one:
        for number in range(600):
            one.fake.npm.publish(f"pad-{number:03}", description="pads")
        page = await one.registry.search("pads", size=1000)
        assert (len(page.hits), page.total, page.last) == (250, 600, False)
        found = await one.registry.search_all("pads", 10_000)
        assert [hit.name for hit in found] == [f"pad-{number:03}" for number in range(600)]
        assert len(one.fake.asked) == 4
        assert len(await one.registry.search_all("pads", 300)) == 300
        assert await one.registry.search_all("nothing", 300) == []


async def test_searches_are_fewer_than_a_registry_refuses() -> None:
    """Ten a window, then 429 with ``retry-after: 0``: the pause is our own."""
    async with asking() as one:
        one.fake.npm.publish("a")
        began = one.clock.now
        for _ in range(SEARCH_WINDOW):
            await one.registry.search("a")
        assert one.clock.now - began >= (SEARCH_WINDOW - 5) * 12 - 1
        with pytest.raises(StatusError) as caught:
            await one.registry.search("a")
        assert caught.value.status == 429
        assert one.client.limiter.take_refusals() == {"search": 3}
        one.fake.new_window()
        assert (await one.registry.search("a")).total == 1


async def test_packages_of_a_user_and_of_a_scope() -> None:
    async with asking() as one:
        for name in ("b", "@s/a", "@s/b"):
            one.fake.npm.publish(name, maintainers=("ada", "grace"))
        one.fake.npm.publish("other", maintainers=("linus",))
        assert await one.registry.packages_of("ada") == ["@s/a", "@s/b", "b"]
        assert await one.registry.packages_in("s") == ["@s/a", "@s/b"]
        one.fake.script("/-/user/ada/", faults.body(b"{}", 401))
        assert await one.registry.packages_of("ada") == ["@s/a", "@s/b", "b"]
        assert await one.registry.packages_of("nobody") == []
        one.fake.script("/-/user/ada/", faults.body(b'{"../x":"write","b":1}'))
        assert await one.registry.packages_of("ada") == ["b"]


async def test_hits_of_hostile_searches() -> None:
    for row in (None, {}, {"package": 5}, {"package": {"name": "../x", "version": "1"}}):
        assert read_hit(row) is None
    hit = read_hit({"package": {"name": "a", "version": "1", "maintainers": [{"name": "ada"}]}})
    assert hit is not None
    assert (hit.maintainers, hit.downloads) == (("ada",), None)
    async with asking() as one:
        endless = b'{"objects":[{"package":{"name":"a","version":"1"}}],"total":9e99}'
        one.fake.script("/-/v1/search", faults.body(endless))
        assert (await one.registry.search("a")).last


async def test_a_thin_mirror_answers_what_it_has() -> None:
    async with asking() as one:
        one.fake.thin = True
        one.fake.npm.publish("a", "1.0.0", readme="# a", description="d", author="Ada <a@b>")
        one.fake.npm.deprecate("a", "use b")
        for document in (await one.registry.packument("a"), await one.registry.abbreviated("a")):
            assert document.value.keys() == {"_id", "name", "dist-tags", "versions", "time"}
        found = await one.registry.tarball(facts.latest_manifest(document))
        record = facts.snapshot(document, tarball=found)
        assert (record.source, record.modified, record.maintainers) == ("mirror", 0, ())
        assert (record.deprecated, record.description) == ("", "d")
        assert record.unpacked == found.unpacked > 0
        assert record.files == 3
        assert record.readme_hash == facts.readme_digest("# a")
        with pytest.raises(MissingError):
            await one.registry.search("a")
        with pytest.raises(MissingError):
            await one.downloads.point("last-day", "a")
