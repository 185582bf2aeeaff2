"""The document of all addresses, held against the routes and, by schemathesis, against answers."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from contextlib import AsyncExitStack
from importlib import resources
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig

from pkgstats.web.addresses import FORMATS
from pkgstats.web.app import application
from pkgstats.web.guard import LOOPBACK_NAMES
from pkgstats.web.machines.openapi import parameters
from pkgstats.web.refining import TERMS
from pkgstats.web.routes import OTHERS, PAGES
from pkgstats.web.site import Settings

from .browsing import BASE, browsing, site_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from schemathesis import Case

SEED = 20_717
EXAMPLES = 6

TOLD: dict[str, Any] = json.loads(
    resources.files("pkgstats.web").joinpath("openapi.json").read_text(encoding="utf-8")
)

CONFIG = {
    "seed": SEED,
    "checks": {  # any text may be asked, but not every text is a query, or short enough
        "positive_data_acceptance": {"expected-statuses": ["2xx", "303", "400", "404", "414"]},
        "negative_data_rejection": {"expected-statuses": ["400", "404", "405", "414"]},
    },
}

schema = schemathesis.openapi.from_dict(TOLD, config=SchemathesisConfig.from_dict(CONFIG))


def test_all_buttons_are_told() -> None:
    (told,) = [
        one for one in TOLD["paths"]["/search"]["get"]["parameters"] if one["name"] == "with"
    ]
    assert set(told["schema"]["enum"]) == TERMS


class Asking:
    """The application in an event loop of its own, asked from another thread."""

    def __init__(self, folder: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._stack = AsyncExitStack()
        self._http = self._run(self._open(folder))

    async def _open(self, folder: Path) -> httpx.AsyncClient:
        opened = site_of(folder, settings=Settings(indexed=True))
        site = await self._stack.enter_async_context(opened)
        transport = httpx.ASGITransport(application(site, hosts=LOOPBACK_NAMES))
        http = httpx.AsyncClient(transport=transport, base_url=BASE)
        return await self._stack.enter_async_context(http)

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def __call__(self, case: Case[Any]) -> httpx.Response:
        asked = case.as_transport_kwargs(base_url=BASE)
        names = ("method", "url", "params", "headers")
        kept = {name: asked[name] for name in names if asked.get(name) is not None}
        found: httpx.Response = self._run(self._http.request(**kept))
        return found

    def close(self) -> None:
        self._run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="module")
def asking(rich: Path) -> Iterator[Asking]:
    found = Asking(rich)
    yield found
    found.close()


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_the_document_says(case: Case[Any], asking: Asking) -> None:
    case.validate_response(asking(case))


def paths(route: str) -> str:
    return re.sub(r":\w+\}", "}", route)


def bare(path: str) -> str:
    """The page that a path is, or is a twin of."""
    for suffix in FORMATS:
        if path.endswith(suffix):
            return "/" if path == f"/index{suffix}" else path.removesuffix(suffix)
    return path


def test_every_route_is_in_the_document_and_the_other_way_round() -> None:
    pages, others = {paths(one) for one, _ in PAGES}, {paths(one) for one, _ in OTHERS}
    told = set(TOLD["paths"])
    assert others <= told
    assert {bare(one) for one in told - others} == pages


ANY = {"name": "left-pad", "kind": "version", "number": "1"}


def filled(path: str) -> str:
    owner = {"/user": "ada", "/scope": "types"}.get(path.rpartition("/{")[0], "left-pad")
    return path.format(**{**ANY, "name": owner})


@pytest.mark.parametrize("route", [paths(one) for one, _ in PAGES])
async def test_every_twin_is_in_the_document_and_the_other_way_round(
    route: str, rich: Path
) -> None:
    async with browsing(rich) as http:
        for suffix in FORMATS:
            path = ("/index" if route == "/" else route) + suffix
            query = "?q=csv" if route == "/search" else ""
            answer = await http.get(filled(path) + query)
            assert answer.status_code == (200 if path in TOLD["paths"] else 404), path


def test_what_pages_ask_for_is_known() -> None:
    """A page whose parameters are not in the document is never remembered."""
    asked = re.compile(
        r'(?:query_params|asked)(?:\.get\(|\.getlist\(|, )"(\w+)"|"(\w+)" in asked', re.ASCII
    )
    sources = [
        file.read_text(encoding="utf-8")
        for folder in ("pages", "machines")
        for file in resources.files("pkgstats.web").joinpath(folder).iterdir()
        if file.name.endswith(".py")
    ]
    found = {one for text in sources for pair in asked.findall(text) for one in pair if one}
    assert {"q", "page", "p", "label", "explain", "at"} <= found
    assert found <= parameters()
    assert "name" not in parameters()
