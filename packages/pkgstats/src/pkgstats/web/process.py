"""The pages in a process of their own, so that they never hold up the node's work.

They read the view and the search index, which any number of processes may do, and ask the node
through its door for what only it has: readmes that a peer holds, days that are gone, its peers.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from pkgstats.child import asked_to_end, child_process, say
from pkgstats.collecting import begun
from pkgstats.folder import VIEW_FILE, search_in
from pkgstats.markup.cache import Cache
from pkgstats.markup.renderer import Renderer
from pkgstats.past import Pasts
from pkgstats.web import accesslog
from pkgstats.web.app import application
from pkgstats.web.door import Door, NodeDoor
from pkgstats.web.guard import names_of
from pkgstats.web.server import listening, serving
from pkgstats.web.site import Settings, Site

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator
    from pathlib import Path

LOG: Final = "pages.log"

RENDERED: Final = "rendered"
"""The folder of rendered readmes; it may be deleted."""

NICE: Final = 15
"""On a busy machine replication comes first: a page that comes a little later harms nobody, a peer
that falls behind does."""


@asynccontextmanager
async def pages_process(
    folder: Path, host: str, port: int, settings: Settings | None = None
) -> AsyncIterator[str]:
    """Serve the pages of a folder in another process; gives their address.

    Args:
        folder: of the node, whose door is open.
        host, port: where to listen; port 0: any free one.
        settings: how they are served; None: for this machine's user alone.

    Raises:
        OSError: the port is taken, or the address is not this machine's.
        ChildError: the process has ended; the block is cancelled then.
    """
    words = ["pages", "--data", str(folder), "--host", host, "--port", str(port)]
    words += ["--settings", json.dumps(asdict(settings or Settings()))]
    async with child_process("pages", *words, log=folder / LOG, yields=True) as child:
        said = child.said()
        address = _address(await anext(said))
        try:
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(_to_the_end(said))
                try:
                    yield address
                finally:
                    watching.cancel()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None


def _address(told: dict[str, Any]) -> str:
    if "errno" in told:
        raise OSError(told["errno"], told["error"])
    return str(told["address"])


async def _to_the_end(said: AsyncIterator[Any]) -> None:
    """Wait until the process ends, which is an error."""
    async for _ in said:
        pass


# --- inside


def run_pages(folder: Path, host: str, port: int, settings: Settings) -> None:
    """The whole life of the pages' process, see `pkgstats.child`."""
    if sys.platform != "win32":  # there the parent has seen to it
        os.nice(NICE)
    try:
        listener = listening(host, port)
    except OSError as error:
        say({"errno": error.errno, "error": error.strerror or str(error)})
        return
    with listener, suppress(BrokenPipeError):  # the parent is gone, nothing is left to do
        asyncio.run(_serve(folder, listener, settings))


async def _serve(folder: Path, listener: socket.socket, settings: Settings) -> None:
    ended = asked_to_end()
    async with AsyncExitStack() as stack:
        search = await stack.enter_async_context(search_in(folder, remember=False))
        door = Door.of(folder)
        asking = await stack.enter_async_context(NodeDoor(door)) if door else None
        days = Pasts(folder, asking.past) if asking else None
        view = folder / VIEW_FILE
        renderer = Renderer(Cache(folder / RENDERED))
        stack.push_async_callback(renderer.close)
        site = Site(view, search, days=days, door=asking, settings=settings, renderer=renderer)
        await stack.enter_async_context(site)
        log = stack.enter_context(accesslog.opened(settings))
        app = application(site, hosts=names_of(settings.base, public=settings.public), log=log)
        address = await stack.enter_async_context(serving(app, listener))
        with begun():
            say({"address": address})
            await ended.wait()
