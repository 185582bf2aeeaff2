"""The client before a server that misbehaves: a `SourceError` each time, never anything else."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest
from tests.pkgstats.fake_registry import faults

from pkgstats.sources.client import DOCUMENT_BYTES_MAX, REDIRECTS_MAX, USER_AGENT, Client
from pkgstats.sources.errors import (
    AnswerError,
    BusyError,
    MissingError,
    SourceError,
    StatusError,
    UnreachableError,
)
from pkgstats.sources.limiter import PAUSE_S

from .asking import asking

HOSTILE = {
    "no json": faults.body(b"<html>"),
    "half a text": faults.body(b'{"name": "a'),
    "no object": faults.body(b'["name"]'),
    "no utf-8": faults.body(b'{"name": "\xff\xfe\xfd"}'),
    "not a number": faults.body(b'{"name": NaN}'),
    "a huge number": faults.body(b'{"name": ' + b"9" * 10_000 + b"}"),
    "nested deeply": faults.deep_json(),
    "too many parts": faults.wide_json(),
    "a gzip bomb": faults.gzip_bomb(64),
    "no gzip": faults.body(b"{}", content_encoding="gzip"),
    "half a gzip": faults.body(gzip.compress(b"{}")[:-3], content_encoding="gzip"),
    "more after the gzip": faults.body(
        gzip.compress(b'{"name":"a"}') + b"x" * 200_000, content_encoding="gzip"
    ),
    "an encoding nobody asked for": faults.body(b"{}", content_encoding="br"),
    "a body without end": faults.endless(),
    "a length too short": faults.wrong_length(b'{"name": "a"}', 5),
    "another package": faults.body(b'{"name": "b"}'),
    "another type": faults.body(b'{"name": ["a"]}'),
    "an empty body": faults.body(b""),
    "a redirect elsewhere": faults.redirect("http://example.org/a"),
    "a redirect to another scheme": faults.redirect("file:///etc/hostname"),
    "a status that is none": faults.body(b"{}", 299),
}

BROKEN = {
    "hanging up": faults.hang_up(),
    "a length too long": faults.wrong_length(b'{"name": "a"}', 500),
    "chunks without an end": faults.cut_chunks(b'{"name": "a"}'),
    "a slow body": faults.stall(),
    "headers without end": faults.big_head(),
    "no HTTP": faults.raw(b"SSH-2.0-hello\r\n\r\n"),
    "a redirect to nowhere": faults.redirect("http://[::bad/"),
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_hostile_answers_are_refused_at_once(case: str) -> None:
    async with asking() as one:
        one.fake.npm.publish("a")
        one.fake.script("/a", HOSTILE[case])
        with pytest.raises((AnswerError, StatusError)):
            await one.registry.packument("a")
        assert one.fake.asked == ["/a"]
        assert (await one.registry.packument("a")).value["name"] == "a"


@pytest.mark.parametrize("case", BROKEN)
async def test_broken_answers_are_asked_for_again(case: str) -> None:
    async with asking(silence_s=0.2) as one:
        one.fake.npm.publish("a")
        one.fake.script("/a", BROKEN[case], times=2)
        assert (await one.registry.packument("a")).value["name"] == "a"
        assert len(one.fake.asked) == 3
        assert one.client.limiter.counters()["registry"].failed == 2
        one.fake.script("/a", BROKEN[case], times=3)
        with pytest.raises(UnreachableError):
            await one.registry.packument("a")


async def test_nobody_listens() -> None:
    async with asking() as one:
        with pytest.raises(UnreachableError):
            await one.client.get("registry", "http://127.0.0.1:1/a", 10)
        with pytest.raises(SourceError):
            await one.client.get("registry", "http://[", 10)


async def test_an_answer_that_drips_meets_its_deadline() -> None:
    async with asking(deadline_s=0.1) as one:
        one.fake.script("/a", faults.stall(), times=3)
        with pytest.raises(UnreachableError):
            await one.client.get("registry", f"{one.fake.url}/a", 10_000)


async def test_statuses_have_errors_of_their_own() -> None:
    async with asking() as one:
        with pytest.raises(MissingError) as missing:
            await one.registry.packument("a")
        assert missing.value.status == 404
        one.fake.script("/a", faults.body(b"", 401))
        with pytest.raises(StatusError, match="no password"):
            await one.registry.packument("a")
        one.fake.npm.publish("a")
        one.fake.script("/a", faults.failure(502), times=2)
        assert (await one.registry.packument("a")).changed


async def test_refusals_are_obeyed() -> None:
    async with asking() as one:
        one.fake.npm.publish("a")
        one.fake.script("/a", faults.refusal("120"))
        one.fake.script("/a", faults.refusal("0"))
        began = one.clock.now
        await one.registry.packument("a")
        assert one.clock.now - began >= 120 + PAUSE_S
        assert one.client.limiter.take_refusals() == {"registry": 2}
        one.fake.script("/a", faults.refusal(), times=3)
        with pytest.raises(StatusError) as caught:
            await one.registry.packument("a")
        assert caught.value.status == 429


async def test_someone_before_a_screen_does_not_wait_for_minutes() -> None:
    async with asking(patience_s=5.0) as one:
        one.fake.npm.publish("a")
        one.fake.script("/a", faults.refusal("120"))
        with pytest.raises(BusyError) as caught:
            await one.registry.packument("a")
        assert caught.value.wait_s == 120
        assert one.clock.slept == []


async def test_redirects_on_the_same_host_are_followed_a_few_times() -> None:
    async with asking() as one:
        one.fake.npm.publish("a")
        one.fake.script("/start", faults.redirect("/a"))
        found = await one.client.document("registry", f"{one.fake.url}/start")
        assert found.value["name"] == "a"
        one.fake.script("/loop", faults.redirect("/loop"), times=10)
        with pytest.raises(AnswerError, match="redirects"):
            await one.client.document("registry", f"{one.fake.url}/loop")
        assert one.fake.asked.count("/loop") == REDIRECTS_MAX + 1


async def test_it_says_who_it_is_and_keeps_nothing() -> None:
    async with asking() as one:
        one.fake.npm.publish("a")
        one.fake.script("/a", faults.body(b'{"name":"a"}', set_cookie="id=1; Path=/"))
        await one.registry.packument("a")
        await one.registry.packument("a")
        headers = one.fake.requests[1].headers
        assert headers["user-agent"] == USER_AGENT
        assert USER_AGENT.startswith("pkgstats/")
        assert not headers.keys() & {"cookie", "authorization", "referer", "from"}


async def test_neither_the_environment_nor_a_password_file_changes_who_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with asking() as one:
        one.fake.npm.publish("a")
        assert (await one.registry.packument("a")).changed


async def test_an_etag_that_holds_saves_the_body() -> None:
    async with asking() as one:
        one.fake.npm.publish("a")
        first = await one.registry.packument("a")
        again = await one.registry.packument("a", etag=first.etag)
        assert (again.changed, again.value, again.evidence["status"]) == (False, {}, "304")
        one.fake.npm.publish("a", "2.0.0")
        assert (await one.registry.packument("a", etag=first.etag)).changed


@pytest.mark.parametrize("compress", [True, False])
async def test_a_packument_of_ten_megabytes_is_read(compress: bool) -> None:
    async with asking() as one:
        one.fake.compress = compress
        package = one.fake.npm.publish_many("a", 9000, description="x" * 700)
        size = len(json.dumps(one.fake.npm.packument(package)))
        assert 10 << 20 < size < DOCUMENT_BYTES_MAX
        assert len((await one.registry.packument("a")).value["versions"]) == 9000


async def test_a_larger_one_is_refused() -> None:
    async with asking() as one:
        one.fake.script("/a", faults.body(b" " * (DOCUMENT_BYTES_MAX + 1)))
        with pytest.raises(AnswerError, match="larger"):
            await one.registry.packument("a")


async def test_dates_and_etags_are_kept_if_they_are_such() -> None:
    async with asking() as one:
        date = "Wed, 21 Oct 2015 07:28:00 GMT"
        one.fake.script("/a", faults.body(b'{"name":"a"}', etag='"x"', last_modified=date))
        found = await one.registry.packument("a")
        assert (found.etag, found.modified) == ('"x"', 1_445_412_480_000)
        one.fake.script("/a", faults.body(b'{"name":"a"}', etag="x" * 500, last_modified="soon"))
        found = await one.registry.packument("a")
        assert (found.etag, found.modified) == ("", 0)


async def test_it_is_used_within_its_context() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await Client().get("registry", "http://127.0.0.1:1/", 10)


async def test_many_at_once_keep_the_rate() -> None:
    async with asking() as one:
        for place in range(40):
            one.fake.npm.publish(f"p{place}")
        began = one.clock.now
        await asyncio.gather(*(one.registry.latest(f"p{place}") for place in range(40)))
        assert one.clock.now - began >= (40 - 8) / 0.5 - 1
