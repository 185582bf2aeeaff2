"""What a registry can be asked: packuments, manifests, tarballs, searches, a user's packages."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit

from pkgstats.records.model import SUMMARY, VERSION, WORD
from pkgstats.records.names import bare_name, is_package_name
from pkgstats.sources.client import JSON_TYPE
from pkgstats.sources.errors import AnswerError, StatusError
from pkgstats.sources.fields import items, mapping, moment, number, people, text, word, words
from pkgstats.sources.tarball import TARBALL_BYTES_MAX, TarballFacts, check_integrity, inspect

if TYPE_CHECKING:
    from pkgstats.sources.addresses import Addresses
    from pkgstats.sources.answers import Document
    from pkgstats.sources.client import Client

ABBREVIATED_TYPE: Final = f"application/vnd.npm.install-v1+json; q=1.0, {JSON_TYPE}; q=0.8"

SEARCH_SIZE_MAX: Final = 250
"""Hits of one page."""

SEARCH_TEXT_MAX: Final = 512
"""Bytes of what is searched for."""

USER_BYTES_MAX: Final = 214
"""Of an account's or a scope's name."""

PACKAGES_MAX: Final = 50_000
"""Packages of one user that are listed."""


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One package that a search found; ``modified`` is ms since 1970, 0 if it is not told.

    ``downloads`` are those of a month, None if they are not told.
    """

    name: str
    version: str
    description: str
    keywords: tuple[str, ...]
    maintainers: tuple[str, ...]
    modified: int
    downloads: int | None


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A page of hits, how many packages a registry says there are, and whether more can be had."""

    hits: tuple[SearchHit, ...]
    total: int
    observed_at: int
    last: bool


class Registry:
    """One registry, and those of single scopes.

    All methods raise a `SourceError`: `MissingError` for what is not there, and see `errors`.
    """

    def __init__(self, client: Client, addresses: Addresses) -> None:
        self._client = client
        self._addresses = addresses

    async def packument(self, name: str, *, etag: str = "") -> Document:
        """The full document: all versions, times, maintainers, perhaps a readme."""
        return await self._document(name, "", JSON_TYPE, etag)

    async def abbreviated(self, name: str, *, etag: str = "") -> Document:
        """What is needed to install, and when it was modified; a mirror may answer in full."""
        return await self._document(name, "", ABBREVIATED_TYPE, etag)

    async def latest(self, name: str, *, etag: str = "") -> Document:
        """The manifest of the latest version: kilobytes, but no times and no readme."""
        return await self._document(name, "/latest", JSON_TYPE, etag)

    async def tarball(self, manifest: dict[str, Any]) -> TarballFacts:
        """Fetch the tarball of a version, compare it with its manifest, and read it."""
        dist = mapping(manifest.get("dist"))
        url = self._tarball_address(manifest, dist)
        answer = await self._client.get("registry", url, TARBALL_BYTES_MAX)
        integrity, shasum = text(dist.get("integrity"), 4096), text(dist.get("shasum"), 64)

        def read() -> TarballFacts:
            check_integrity(answer.body, integrity, shasum)
            return inspect(answer.body)

        return await asyncio.to_thread(read)

    async def search(
        self, query: str, *, size: int = SEARCH_SIZE_MAX, start: int = 0
    ) -> SearchPage:
        """One page of a search: at most 250 hits, from ``start`` on."""
        parts = {"text": text(query, SEARCH_TEXT_MAX), "size": min(size, SEARCH_SIZE_MAX)}
        address = f"{self._addresses.registry}/-/v1/search"
        found = await self._client.document(
            "search", f"{address}?{urlencode({**parts, 'from': start})}"
        )
        rows = items(found.value.get("objects"))
        hits = tuple([hit for row in rows if (hit := read_hit(row)) is not None])
        total = number(found.value.get("total")) or 0
        return SearchPage(hits, total, found.observed_at, not rows or start + len(rows) >= total)

    async def search_all(self, query: str, limit: int) -> list[SearchHit]:
        """The first ``limit`` hits, page by page."""
        found: dict[str, SearchHit] = {}
        start = 0
        while start < limit:
            page = await self.search(query, start=start, size=min(limit - start, SEARCH_SIZE_MAX))
            found.update((hit.name, hit) for hit in page.hits)
            start += SEARCH_SIZE_MAX
            if page.last:
                break
        return list(found.values())[:limit]

    async def packages_of(self, user: str) -> list[str]:
        """Names of the packages that an account maintains, in order."""
        return await self._owned("user", user, f"maintainer:{user}")

    async def packages_in(self, scope: str) -> list[str]:
        """Names of the packages of a scope (without its ``@``), in order."""
        return await self._owned("org", scope, f"scope:{scope}")

    async def _owned(self, kind: str, who: str, query: str) -> list[str]:
        """Ask for the list, and where it is not given without a password, search."""
        if not who or word(who, USER_BYTES_MAX) != who:
            raise AnswerError("no name of a user or a scope")
        url = f"{self._addresses.registry}/-/{kind}/{quote(who, safe='')}/package"
        try:
            found = await self._client.document("registry", url)
        except StatusError as error:
            if error.status not in {400, 401, 403, 404}:
                raise
            hits = await self.search_all(query, PACKAGES_MAX)
            return sorted(hit.name for hit in hits)
        return sorted(name for name in list(found.value)[:PACKAGES_MAX] if is_package_name(name))

    async def _document(self, name: str, rest: str, accept: str, etag: str) -> Document:
        path = encoded_name(name) + rest
        address = f"{self._addresses.registry_of(name)}/{path}"
        found = await self._client.document("registry", address, accept=accept, etag=etag)
        if found.changed and found.value.get("name") != name:
            raise AnswerError(f"another package was answered than {name}")
        return found

    def _tarball_address(self, manifest: dict[str, Any], dist: dict[str, Any]) -> str:
        """Where the manifest says, if the registry is there; else where registries have it."""
        name, version = manifest.get("name"), word(manifest.get("version"), VERSION.bytes_max)
        if not isinstance(name, str) or not is_package_name(name) or not version:
            raise AnswerError("a manifest without a name or a version")
        base = self._addresses.registry_of(name)
        said = text(dist.get("tarball"), 4096)
        try:
            same = said and urlsplit(said)[:2] == urlsplit(base)[:2]
        except ValueError:
            same = False
        path = f"{name}/-/{bare_name(name)}-{version}.tgz"
        return said if same else f"{base}/{quote(path, safe='@/')}"


def encoded_name(name: str) -> str:
    """A package's name as one part of a path: ``@types%2Fnode``.

    Raises:
        AnswerError: there can be no package of that name.
    """
    if not is_package_name(name):
        raise AnswerError(f"no name of a package: {ascii(name)[:100]}")
    return quote(name, safe="@")


def read_hit(row: Any) -> SearchHit | None:
    """One hit; None if it is none."""
    about = mapping(mapping(row).get("package"))
    name, version = about.get("name"), word(about.get("version"), VERSION.bytes_max)
    if not isinstance(name, str) or not is_package_name(name) or not version:
        return None
    maintainers = [mapping(one).get("username") for one in items(about.get("maintainers"))]
    return SearchHit(
        name=name,
        version=version,
        description=text(about.get("description"), SUMMARY.bytes_max),
        keywords=words(items(about.get("keywords")), WORD.bytes_max, 256),
        maintainers=words(maintainers, WORD.bytes_max, 512)
        or people(about.get("maintainers"), WORD.bytes_max, 512),
        modified=moment(about.get("date")),
        downloads=number(mapping(mapping(row).get("downloads")).get("monthly")),
    )
