"""One look at a package in the registry: its document, its readme, whether it is there at all."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from pkgstats.crawler.doubts import Doubts, Missing
from pkgstats.crawler.recall import gist
from pkgstats.crawler.telling import listed
from pkgstats.listing import Row
from pkgstats.sources import facts
from pkgstats.sources.errors import AnswerError, MissingError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pkgstats.crawler.memory import Memory
    from pkgstats.crawler.sources import Sources
    from pkgstats.crawler.teller import Teller
    from pkgstats.records.model import Snapshot
    from pkgstats.sources.answers import Document
    from pkgstats.sources.tarball import TarballFacts
    from pkgstats.view.reading import View

    Found = Literal["here", "same", "gone", "unknown"]


class Looking:
    """Looks at packages of a registry; what is found goes to a `Teller`."""

    def __init__(self, sources: Sources, memory: Memory, teller: Teller, view: View) -> None:
        """Take what it works with."""
        self._registry = sources.registry
        self._memory = memory
        self._teller = teller
        self._view = view
        self._latest: dict[str, Snapshot] = {}
        self._doubts = Doubts(sources, view)

    def begin(self) -> None:
        """Begin a run, in which the registry has to show itself before its 404s are believed."""
        self._doubts.begin()

    async def look(self, name: str, wanted: Collection[str], now: int) -> Found:
        """Look at a package.

        Raises:
            WrongRegistryError: nothing is there any more, not even what must be.
            SourceError: there is no good answer.
        """
        try:
            if "versions" in wanted:
                found = await self._whole(name, readme="readme" in wanted)
            else:
                found = await self._light(name)
        except MissingError as error:
            if self._doubts.missing(Missing(name, now, error.status)):
                await self.settle()
            return "unknown" if self._memory.told(name) is None else "gone"
        self._missing(self._doubts.answered(), believed=True)
        return found

    async def settle(self) -> bool:
        """Say of packages that they are gone, if that can be believed; returns whether it can.

        Raises:
            WrongRegistryError: the registry does not know what must be there.
            SourceError: there is no good answer.
        """
        missing, believed = await self._doubts.ask()
        self._missing(missing, believed=believed)
        return believed

    def row(self, name: str) -> Row | None:
        """The package's row of the list as it is now; of what is not known there is none.

        Downloads are those of the 30 days that were said last, else those that the list has.
        """
        here = self._view.package(name)
        latest = self._latest.pop(name, None)
        tail = self._memory.tail(name)
        month = tail.month() if tail is not None else None
        downloads = here.downloads if here is not None and month is None else month
        if latest is not None:
            return listed(latest, downloads or 0)
        if here is None or not here.version or month is None:
            return None
        return Row(name, here.version, month, here.summary)

    async def _whole(self, name: str, *, readme: bool) -> Found:
        etag = self._memory.etag(name, "packument")
        document = await self._registry.packument(name, etag=etag)
        self._teller.looked("packument", name, document.observed_at, document.etag or etag)
        if not document.changed:
            return "same"
        stone = facts.tombstone(document)
        if stone is not None:
            self._teller.tell([stone])
            return "gone"
        tarball = await self._tarball(document) if readme else None
        found = facts.snapshot(document, tarball=tarball)
        self._tell(found)
        self._teller.tell(facts.version_events(document))
        if readme:
            self._tell_readme(document, tarball)
        return "here"

    async def _light(self, name: str) -> Found:
        """The latest manifest alone; if it is another one than I have said, the whole document.

        A manifest knows less than a document, so it says nothing of a package that I have told of.
        """
        etag = self._memory.etag(name, "latest")
        document = await self._registry.latest(name, etag=etag)
        told = self._memory.told(name)
        found = facts.manifest_snapshot(document) if document.changed else None
        if found is not None and told is not None and gist(found) != told:
            return await self._whole(name, readme=False)
        self._teller.looked("latest", name, document.observed_at, document.etag or etag)
        if found is None or told is not None:
            return "same"
        self._tell(found)
        return "here"

    def _tell(self, found: Snapshot) -> None:
        back = self._memory.retraction(found)
        self._teller.tell([back, found] if back else [found])
        self._latest[found.name] = found

    def _missing(self, missing: Iterable[Missing], *, believed: bool) -> None:
        """Gone is what I have seen there; a name that I never saw may be a slip of the pen."""
        for one in missing:
            self._teller.looked("packument", one.name, one.at)
            if believed and self._memory.told(one.name) is not None:
                self._teller.tell([facts.gone(one.name, one.at, one.status)])

    async def _tarball(self, document: Document) -> TarballFacts | None:
        """For the readme and the sizes, where the document lacks them; it may be missing."""
        manifest = facts.latest_manifest(document)
        whole = facts.manifest_snapshot(document, manifest).unpacked is not None
        if whole and facts.readme_of(document) is not None:
            return None
        with suppress(AnswerError, MissingError):
            return await self._registry.tarball(manifest)
        return None

    def _tell_readme(self, document: Document, tarball: TarballFacts | None) -> None:
        text = facts.readme_of(document)
        if text is not None:
            self._teller.tell(facts.readme_parts(text, document.observed_at, "registry"))
        elif tarball is not None and tarball.readme is not None:
            self._teller.tell(facts.readme_parts(tarball.readme, document.observed_at, "tarball"))
