"""``/openapi.json``: all addresses with their parameters and answers, for programs (OpenAPI)."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from pkgstats.web.respond import lasting

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from pkgstats.web.site import Site

TYPE: Final = "application/json"


async def document(_: Site, request: Request) -> Response:
    """The document as it is written."""
    return lasting(request, _text(), TYPE, {"access-control-allow-origin": "*"})


@cache
def parameters() -> frozenset[str]:
    """The names of all parameters that some address has behind its question mark."""
    told: dict[str, Any] = json.loads(_text())
    shared = told["components"]["parameters"].values()
    own = [
        one
        for path in told["paths"].values()
        for one in (*path.get("parameters", ()), *path["get"].get("parameters", ()))
    ]
    return frozenset(one["name"] for one in (*shared, *own) if one.get("in") == "query")


@cache
def _text() -> bytes:
    return resources.files("pkgstats.web").joinpath("openapi.json").read_bytes()
