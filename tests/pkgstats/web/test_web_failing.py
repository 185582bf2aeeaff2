from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.responses import PlainTextResponse

from pkgstats.web import respond
from pkgstats.web.app import application
from pkgstats.web.failing import SENTENCE, Failing
from pkgstats.web.freshness import Freshness
from pkgstats.web.guard import HEADERS
from pkgstats.web.site import Site

from .browsing import BASE, parsed, site_of

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from pkgstats.web.watching import Answered


def fails(*_: object, **__: object) -> None:
    raise KeyError("the secret cause")


async def answers(
    folder: Path, *paths: str, told: list[Answered] | None = None
) -> list[httpx.Response]:
    async with site_of(folder) as site:
        app = application(site, log=None if told is None else told.append)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
            return [await http.get(path) for path in paths]


@pytest.mark.parametrize(
    ("broken", "path"),
    [((Site, "ask"), "/package/react?unknown=1"), ((Freshness, "state"), "/package/react?by=week")],
)
async def test_what_fails_is_a_page_with_all_headers_and_its_cause_stands_in_the_log(
    rich: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    broken: tuple[type, str],
    path: str,
) -> None:
    """In a handler, or in a layer before it."""
    monkeypatch.setattr(*broken, fails)
    told: list[Answered] = []
    paths = ("/package/react", path, "/package/react.json?q=my+secret")
    found = await answers(rich, *paths, told=told)
    for answer in found:
        assert answer.status_code == 500
        assert set(answer.headers.items()) >= {(k.decode(), v.decode()) for k, v in HEADERS}
        assert "cause" not in answer.text
        assert "KeyError" not in answer.text
    assert "Something went wrong" in parsed(found[0]).one("h1").text
    assert found[2].json()["error"].startswith("This page could not be made")
    assert [one.status for one in told] == [500] * 3
    assert "KeyError: 'the secret cause'" in caplog.text
    assert "no answer to GET '/package/react.json'" in caplog.text
    assert "my+secret" not in caplog.text, "the log outlives the moment"


async def test_programs_are_told_in_their_format(
    rich: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Freshness, "state", fails)
    (answer,) = await answers(rich, "/api/search?q=react")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/json"


async def test_where_pages_themselves_fail_a_line_says_so(
    rich: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(respond, "render", fails)
    (answer,) = await answers(rich, "/")
    assert (answer.status_code, answer.text) == (500, SENTENCE)
    assert answer.headers["content-security-policy"]
    assert caplog.text.count("KeyError: 'the secret cause'") >= 2


async def test_half_an_answer_is_broken_off(caplog: pytest.LogCaptureFixture) -> None:
    async def half(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        fails()

    def page(_: Scope) -> ASGIApp:
        return PlainTextResponse("a second answer", 500)

    transport = httpx.ASGITransport(Failing(half, page))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        with pytest.raises(KeyError), caplog.at_level(logging.ERROR):
            await http.get("/")
    assert caplog.text == "", "who breaks it off logs it"
