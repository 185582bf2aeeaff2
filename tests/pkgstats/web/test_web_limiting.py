from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.responses import PlainTextResponse

from pkgstats.web.limiting import (
    Forwarded,
    Limited,
    answer_price,
    client,
    making_price,
)
from pkgstats.web.limits import (
    ANSWER_PRICE,
    PAGE_PRICE,
    SEARCH_PRICE,
    UNKNOWN,
    Limits,
)

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

NEAR, FAR = ("127.0.0.1", 1), ("192.0.2.7", 1)


async def who(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(client(scope) or "here")(scope, receive, send)


async def asked(app: object, address: tuple[str, int], *forwarded: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, client=address)  # type: ignore[arg-type]
    headers = [("x-forwarded-for", one) for one in forwarded]
    async with httpx.AsyncClient(transport=transport, base_url="http://a") as http:
        return await http.get("/", headers=headers)


@pytest.mark.parametrize(
    ("trusted", "address", "forwarded", "found"),
    [
        (True, NEAR, [], "here"),
        (True, NEAR, ["192.0.2.1"], "192.0.2.1"),
        (True, NEAR, ["127.0.0.1, 192.0.2.1"], "192.0.2.1"),  # the client claimed to be us
        (True, NEAR, ["127.0.0.1", "192.0.2.1"], "192.0.2.1"),
        (True, NEAR, ["nonsense"], UNKNOWN),
        (True, NEAR, [""], UNKNOWN),
        (False, NEAR, [], "here"),
        (False, NEAR, ["192.0.2.1"], UNKNOWN),
        (False, FAR, ["127.0.0.1"], "192.0.2.7"),
    ],
)
async def test_whose_a_request_is(
    trusted: bool, address: tuple[str, int], forwarded: list[str], found: str
) -> None:
    assert (await asked(Forwarded(who, trusted=trusted), address, *forwarded)).text == found


async def test_who_asks_too_much_is_told_when_to_come_back() -> None:
    now = 0.0
    limits = Limits(rate=1, burst=2)
    app = Limited(who, limits=limits, price=lambda _: 1, clock=lambda: now)
    assert [(await asked(app, FAR)).status_code for _ in range(3)] == [200, 200, 429]
    now = 0.4
    refused = await asked(app, FAR)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert (await asked(app, ("192.0.2.8", 1))).status_code == 200
    now = 1.0
    assert (await asked(app, FAR)).status_code == 200


async def test_this_machine_is_not_limited() -> None:
    app = Limited(who, limits=Limits(rate=1, burst=1), price=lambda _: 1, clock=lambda: 0.0)
    assert {(await asked(app, NEAR)).status_code for _ in range(5)} == {200}


@pytest.mark.parametrize(
    ("path", "price"),
    [
        ("/", ANSWER_PRICE + PAGE_PRICE),
        ("/package/a", ANSWER_PRICE + PAGE_PRICE),
        ("/search", ANSWER_PRICE + SEARCH_PRICE),
        ("/search.json", ANSWER_PRICE + SEARCH_PRICE),
        ("/api/search", ANSWER_PRICE + SEARCH_PRICE),
        ("/static/style.0.css", 0),
    ],
)
def test_what_costs_more_has_a_higher_price(path: str, price: float) -> None:
    assert answer_price({"path": path}) + making_price({"path": path}) == price
