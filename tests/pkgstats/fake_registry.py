"""A registry on loopback, over real HTTP/1.1, for tests of everything that asks one.

    from tests.pkgstats.fake_registry import FakeRegistry, faults

    async with FakeRegistry() as registry:
        registry.npm.publish("left-pad", "1.3.0", description="Fills a text")   # see FakeNpm
        registry.npm.count("left-pad", 20_000, [5, 7, 0])                       # a day each
        registry.script("/left-pad", faults.refusal("120"), times=2)            # then as usual
        ... client asks registry.url, registry.downloads_url, registry.changes_url ...
        assert registry.asked == ["/left-pad", ...]                             # paths with queries

It follows the public contracts: bulk requests of at most 128 names without scopes, scoped ones one
at a time, windows that start later than was asked for, null for unknown names, a search that
refuses after ten requests (`new_window` ends that), changes in pages. `registry.thin = True` makes
it a mirror that answers packuments and tarballs only. Nothing depends on the clock: `npm.today`
says which day it is. Downloads and changes have ports of their own, so that each is another host.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import parse_qs, unquote, urlsplit

from . import fake_faults as faults
from .fake_npm import FakeNpm, day_number, day_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .fake_faults import Fault

BULK_NAMES_MAX = 128
BULK_DAYS_MAX = 365
SINGLE_DAYS_MAX = 540
FIRST_DAY = day_number("2015-01-10")
SEARCH_SIZE_MAX = 250
SEARCH_WINDOW = 10
CHANGES_MAX = 10_000
ABBREVIATED = "application/vnd.npm.install-v1+json"

__all__ = ["FakeRegistry", "Request", "faults"]


class Request(NamedTuple):
    """One request as it came."""

    place: str
    target: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    def query(self, name: str, default: str = "") -> str:
        return parse_qs(urlsplit(self.target).query).get(name, [default])[0]


class Reply(NamedTuple):
    """What is sent back; ``body`` is JSON unless it is bytes."""

    status: int
    body: Any
    headers: Mapping[str, str] = MappingProxyType({})


class FakeRegistry:
    """Three servers on loopback: the registry, its downloads, its changes."""

    def __init__(self, npm: FakeNpm | None = None) -> None:
        self.npm = npm or FakeNpm()
        self.thin = False
        self.compress = True
        self.requests: list[Request] = []
        self.heard = threading.Event()
        self.url = self.downloads_url = self.changes_url = ""
        self._scripts: list[tuple[str, Fault, int]] = []
        self._searches = 0
        self._servers: list[asyncio.Server] = []
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self.url = await self._listen("registry")
        self.downloads_url = await self._listen("downloads")
        self.changes_url = f"{await self._listen('changes')}/registry"
        self.npm.url = self.url
        return self

    async def __aexit__(self, *_: object) -> None:
        for writer in self._writers:
            writer.transport.abort()
        for server in self._servers:
            server.close()
            await server.wait_closed()

    def script(self, target: str, fault: Fault, *, times: int = 1) -> None:
        """Answer the next requests whose path (with query) starts with ``target`` by a fault."""
        self._scripts.append((target, fault, times))

    def new_window(self) -> None:
        """Let searches through again."""
        self._searches = 0

    @property
    def asked(self) -> list[str]:
        return [request.target for request in self.requests]

    def asked_of(self) -> Counter[str]:
        """How many requests came to each place."""
        return Counter(request.place for request in self.requests)

    # The servers

    async def _listen(self, place: str) -> str:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(place, reader, writer)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self._servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _serve(
        self, place: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._writers.add(writer)
        try:
            while await self._one(place, reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the test has ended
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _one(
        self, place: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; whether the connection goes on."""
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = [line.partition(":") for line in lines[1:] if line]
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        request = Request(place, lines[0].split(" ")[1], headers)
        self.requests.append(request)
        self.heard.set()
        if fault := self._scripted(request.target):
            await fault(writer)
            return False
        writer.write(self._encode(request, self._answer(request)))
        await writer.drain()
        return True

    def _scripted(self, target: str) -> Fault | None:
        for at, (start, fault, times) in enumerate(self._scripts):
            if target.startswith(start):
                self._scripts[at] = (start, fault, times - 1)
                if times == 1:
                    del self._scripts[at]
                return fault
        return None

    def _encode(self, request: Request, reply: Reply) -> bytes:
        plain = isinstance(reply.body, bytes)
        data = reply.body if plain else json.dumps(reply.body).encode()
        headers = {"content-type": "application/octet-stream" if plain else "application/json"}
        headers |= reply.headers
        accepts = "gzip" in request.headers.get("accept-encoding", "")
        if self.compress and not self.thin and not plain and accepts:
            data = gzip.compress(data, compresslevel=1)
            headers["content-encoding"] = "gzip"
        headers["content-length"] = str(len(data))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {reply.status} answer\r\n{lines}\r\n".encode() + data

    # What is answered

    def _answer(self, request: Request) -> Reply:
        if request.place == "downloads":
            return self._downloads(request)
        if request.place == "changes":
            return self._changes(request)
        path = request.path
        if path in self.npm.tarballs:
            return Reply(200, self.npm.tarballs[path])
        if path == "/-/v1/search" and not self.thin:
            return self._search(request)
        if path.startswith(("/-/user/", "/-/org/")) and not self.thin:
            return self._owned(path)
        return self._package(request)

    def _package(self, request: Request) -> Reply:
        path = request.path
        name, _, version = path[1:].partition("/") if path[1:2] != "@" else _scoped(path[1:])
        package = self.npm.packages.get(name)
        if package is None:
            return Reply(404, {"error": "Not found"})
        if request.headers.get("if-none-match") == package.etag and not self.thin:
            return Reply(304, b"")
        headers = {} if self.thin else {"etag": package.etag}
        if not version:
            return Reply(200, self._packument(request, package), headers)
        manifest = package.versions.get(package.tags.get(version, version))
        if manifest is None or package.unpublished is not None:
            return Reply(404, f"version not found: {version}")
        return Reply(200, self.npm.thin_manifest(manifest) if self.thin else manifest, headers)

    def _packument(self, request: Request, package: Any) -> dict[str, Any]:
        if self.thin:
            return self.npm.thin_packument(package)
        if ABBREVIATED in request.headers.get("accept", "") and package.unpublished is None:
            return self.npm.abbreviated(package)
        return self.npm.packument(package)

    def _search(self, request: Request) -> Reply:
        self._searches += 1
        if self._searches > SEARCH_WINDOW:
            return Reply(429, {"error": "too many requests"}, {"retry-after": "0"})
        hits = [
            package for package in self.npm.packages.values() if self._matches(request, package)
        ]
        start, size = int(request.query("from", "0")), int(request.query("size", "20"))
        page = hits[start : start + min(size, SEARCH_SIZE_MAX)]
        return Reply(200, {"objects": [self.npm.found(one) for one in page], "total": len(hits)})

    @staticmethod
    def _matches(request: Request, package: Any) -> bool:
        text = request.query("text")
        if package.unpublished is not None:
            return False
        if text.startswith("maintainer:"):
            return text.partition(":")[2] in package.maintainers
        latest = package.versions[package.tags["latest"]]
        return text in f"{package.name} {latest.get('description', '')}"

    def _owned(self, path: str) -> Reply:
        kind, who, _ = path[3:].split("/", 2)
        names = [
            name
            for name, package in self.npm.packages.items()
            if (who in package.maintainers if kind == "user" else name.startswith(f"@{who}/"))
        ]
        return Reply(200, dict.fromkeys(names, "write")) if names else Reply(404, {"error": "none"})

    def _changes(self, request: Request) -> Reply:
        if request.path == "/registry/":
            return Reply(
                200, {"doc_count": len(self.npm.packages), "update_seq": self.npm.sequence}
            )
        if request.path == "/registry/_all_docs":
            return self._all_names(request)
        if request.path != "/registry/_changes" or request.query("include_docs"):
            return Reply(400, {"error": "bad_request"})
        since, limit = int(request.query("since", "0")), int(request.query("limit", "1000"))
        later = [change for change in self.npm.changes if change[0] > since]
        page = later[: min(limit, CHANGES_MAX)]
        results = [
            {
                "seq": seq,
                "id": name,
                "changes": [{"rev": rev}],
                **({"deleted": True} if gone else {}),
            }
            for seq, name, rev, gone in page
        ]
        last = page[-1][0] if page else self.npm.sequence
        return Reply(200, {"results": results, "last_seq": last})

    def _all_names(self, request: Request) -> Reply:
        start = json.loads(request.query("startkey", '""'))
        names = sorted(name for name in self.npm.packages if name >= start)
        rows = [{"id": name, "key": name} for name in names[: int(request.query("limit", "1000"))]]
        return Reply(200, {"total_rows": len(self.npm.packages), "rows": rows})

    def _downloads(self, request: Request) -> Reply:
        if self.thin:
            return Reply(404, {"error": "Not found"})
        parts = request.path[1:].split("/", 3)
        if parts[0] == "versions":
            return self._versions(request.path)
        if parts[0] != "downloads" or len(parts) < 3 or parts[1] not in {"point", "range"}:
            return Reply(404, {"error": "Not found"})
        names = parts[3] if len(parts) > 3 else ""
        first, last = self._period(parts[2])
        if "," in names:
            return self._bulk(parts[1], names, first, last)
        if names and names not in self.npm.packages:
            return Reply(404, {"error": f"package {names} not found"})
        first = max(first, last - SINGLE_DAYS_MAX + 1)
        return Reply(200, self._series(parts[1], names, first, last))

    def _bulk(self, form: str, names: str, first: int, last: int) -> Reply:
        wanted = [name for name in names.split(",") if name]
        if any(name.startswith("@") for name in wanted):
            return Reply(400, {"error": "bulk lookups of scoped packages are not supported"})
        if len(wanted) > BULK_NAMES_MAX:
            return Reply(400, {"error": f"at most {BULK_NAMES_MAX} packages"})
        first = max(first, last - BULK_DAYS_MAX + 1)
        known = self.npm.packages
        found = {
            name: self._series(form, name, first, last) if name in known else None
            for name in wanted
        }
        return Reply(200, found)

    def _series(self, form: str, name: str, first: int, last: int) -> dict[str, Any]:
        first = max(first, FIRST_DAY)
        days = [(day, self._count(name, day)) for day in range(first, last + 1)]
        counts: Any = [{"downloads": count, "day": day_text(day)} for day, count in days]
        if form == "point":
            counts = sum(count for _, count in days)
        found = {"downloads": counts, "start": day_text(first), "end": day_text(last)}
        return {**found, "package": name} if name else found

    def _count(self, name: str, day: int) -> int:
        names = [name] if name else list(self.npm.packages)
        return sum(self.npm.on(one, day) for one in names)

    def _period(self, text: str) -> tuple[int, int]:
        spans = {"last-day": 1, "last-week": 7, "last-month": 30, "last-year": 365}
        if text in spans:
            return self.npm.today - spans[text], self.npm.today - 1
        first, _, last = text.partition(":")
        return day_number(first), day_number(last or first)

    def _versions(self, path: str) -> Reply:
        name = path.removeprefix("/versions/").removesuffix("/last-week")
        if name not in self.npm.packages:
            return Reply(404, {"error": "Not found"})
        return Reply(200, {"package": name, "downloads": self.npm.week_counts.get(name, {})})


def _scoped(path: str) -> tuple[str, str, str]:
    scope, _, rest = path.partition("/")
    bare, mark, version = rest.partition("/")
    return f"{scope}/{bare}", mark, version
