"""A page of 16 kB by nothing but Starlette, served as ours are; ended by the end of its input."""

from __future__ import annotations

import asyncio
import sys

from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from pkgstats.web.server import listening, serving

PAGE = "<!doctype html><title>bare</title>" + "<p>a page of no importance</p>" * 550


async def main() -> None:
    async def page(_: object) -> HTMLResponse:
        return HTMLResponse(PAGE)

    app = Starlette(routes=[Route("/", page)])
    async with serving(app, listening(port=0)) as address:
        print(address, flush=True)
        await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
