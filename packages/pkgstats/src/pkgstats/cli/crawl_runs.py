"""What ``pkgstats crawl`` is asked for, made work for a crawler."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, Self

from pkgstats.crawler import plan
from pkgstats.crawler.crawl import Crawler, Outcome
from pkgstats.crawler.follow import Follower
from pkgstats.crawler.memory import Memory
from pkgstats.crawler.notes import FILE
from pkgstats.crawler.plan import FULL, LIGHT, Ask, Work
from pkgstats.crawler.recheck import Rechecker
from pkgstats.crawler.sources import Sources
from pkgstats.records.names import is_package_name
from pkgstats.sample import TITLE, begin
from pkgstats.sources.addresses import find_addresses
from pkgstats.sources.client import Client
from pkgstats.sources.errors import AnswerError, SourceError, StatusError
from pkgstats.sources.limiter import GROUP_RATE, RATES, Limiter
from pkgstats.trust import META
from pkgstats.view.reading import View
from pkgstats.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from pkgstats.crawler.follow import Event
    from pkgstats.crawler.notes import Notes
    from pkgstats.crawler.recheck import Rechecked
    from pkgstats.node import Node
    from pkgstats.sources.addresses import Addresses

MANY_AGE_H: Final = 20.0
"""Of many packages, those that were looked at so lately are left out: so a run goes on."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user wants; see ``pkgstats crawl --help``."""

    names: tuple[str, ...] = ()
    top: int | None = None
    follow: bool = False
    recheck: bool = False
    full: bool | None = None
    max_age: float | None = None
    registry: str | None = None

    def check(self) -> None:
        """Look at the names before anything is opened.

        Raises:
            AnswerError: there can be no package, or user, of that name.
        """
        for one in self.names:
            if not is_package_name(f"{one}/x" if is_user(one) else one):
                raise AnswerError(f"{one!a} is no name of a package, nor @USER")

    @property
    def packages(self) -> list[str]:
        """Packages that are named."""
        return [one for one in self.names if not is_user(one)]

    @property
    def users(self) -> list[str]:
        """Users, or scopes, that are named."""
        return [one[1:] for one in self.names if is_user(one)]

    @property
    def wanted(self) -> frozenset[str]:
        """What is wanted of each package."""
        full = self.full if self.full is not None else bool(self.names)
        return FULL if full else LIGHT

    @property
    def age_ms(self) -> int:
        """What was looked at so lately is left out."""
        hours = self.max_age
        if hours is None:
            hours = 0.0 if self.packages else MANY_AGE_H
        return int(hours * plan.HOUR_MS)

    def work(self, names: Iterable[str], memory: Notes, now: int) -> Work:
        """The names as work, less what was looked at lately."""
        seen = memory.checked("packument", *(() if self.wanted == FULL else ("latest",)))
        left = plan.unchecked(dict.fromkeys(names), seen, now, self.age_ms)
        return Work(tuple(left), self.wanted)


@dataclass(frozen=True, slots=True)
class Plan:
    """A dry run: its requests, how long they take at least, and what cannot be told before."""

    asks: tuple[Ask, ...]
    seconds: float
    notes: tuple[str, ...]


def is_user(name: str) -> bool:
    """Whether this is ``@USER``, and no package in a scope."""
    return name.startswith("@") and "/" not in name


def top_names(view: View, top: int | None) -> list[str]:
    """The most downloaded packages of the view."""
    return [row.name for row in islice(view.listing_rows(), top or 0)]


def known_of(view: View, user: str) -> list[str]:
    """Packages of a user or a scope, as far as the view knows."""
    return [row.name for row in (*view.by_maintainer(user), *view.in_scope(user))]


async def own_writer(node: Node) -> Writer:
    """My writer in a node, under the title that it has already, if any."""
    await node.catch_up()
    own = Writer.keys(node.multis[META], node.group.key)
    with View.open(node.view_path) as view:
        cards = [one.card for one in view.writers() if one.key in own and one.card]
    return await node.write(cards[0].title if cards else TITLE)


def planned(
    asked: Asked, view: View, memory: Notes, now: int, addresses: Addresses | None = None
) -> Plan:
    """What would be asked now; without addresses nothing is known to be private."""
    asks: list[Ask] = []
    notes = []
    names = [*asked.packages, *top_names(view, asked.top)]
    refused = Outcome()
    for user in asked.users:
        if addresses is not None and addresses.is_private(scope := f"@{user}/*"):
            names.append(scope)
            continue
        asks += [Ask("registry", f"/-/{kind}/{user}/package") for kind in ("user", "org")]
        names += known_of(view, user)
        notes.append(f"of @{user} those packages that are known here; there may be more")
    if asked.follow:
        notes.append("then --follow goes on for ever with what changes and what is due")
    if addresses is not None:
        refused.refuse([name for name in dict.fromkeys(names) if addresses.is_private(name)])
        names, notes = addresses.shared(names), [*notes, *refused.remarks]
    work = asked.work(names, memory, now)
    last = now // plan.DAY_MS - 1
    tails = ((name, memory.tail(name)) for name in work.names)
    ends = {name: tail.end for name, tail in tails if tail is not None}
    asks += plan.asks(work, ends, last)
    slowest = max(
        (sum(ask.role == role for ask in asks) / rate.per_s for role, rate in RATES.items())
    )
    return Plan(tuple(asks), max(slowest, len(asks) / GROUP_RATE), tuple(notes))


class Run:
    """One run of the verb in an open node; an async context manager.

    Attributes:
        crawler: at work.
    """

    def __init__(self, node: Node, asked: Asked) -> None:
        """Take the node, and what is wanted."""
        self.crawler: Crawler
        self._node = node
        self._asked = asked
        self._stack = AsyncExitStack()
        self._memory: Memory
        self._sources: Sources
        self._view: View

    async def __aenter__(self) -> Self:
        """Open my writer, what it remembers, and the way to the sources.

        Raises:
            AddressError: the registry's address is not known.
        """
        addresses = find_addresses(self._asked.registry)
        async with AsyncExitStack() as stack:
            await begin(self._node)
            writer = await own_writer(self._node)
            path = self._node.folder / FILE
            self._memory = await stack.enter_async_context(Memory(path, writer))
            await self._node.catch_up()
            self._view = stack.enter_context(View.open(self._node.view_path))
            client = Client()
            client.limiter = Limiter(client.now(), spent=self._memory.spent())
            await stack.enter_async_context(client)
            self._sources = Sources.of(client, addresses)
            self.crawler = Crawler(writer, self._memory, self._sources, self._view)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close all of it."""
        await self._stack.__aexit__(exc_type, exc_value, traceback)

    async def once(self) -> Outcome | None:
        """Look at the packages that were asked for; None if none were.

        Raises:
            SourceError: a source is away, or today's requests are used up.
        """
        is_private = self._sources.addresses.is_private
        names = list(self._asked.packages)
        self._memory.watch(self._sources.addresses.shared(names))
        for user in self._asked.users:
            asked = not is_private(scope := f"@{user}/*")
            names += await self._packages_of(user) if asked else [scope]
        top = top_names(self._view, self._asked.top)
        names += [*self.crawler.mine(top), *filter(is_private, top)]
        if not (self._asked.names or self._asked.top):
            return None
        work = self._asked.work(names, self._memory, self.crawler.now)
        return await self.crawler.crawl(work)

    async def recheck(self) -> Rechecked:
        """Look at today's sample of other writers' records."""
        me = self.crawler.me
        node = self._node
        checker = Rechecker(
            node.multis, node.indexer, self._memory, self._sources, self._view, me=me
        )
        return await checker.run()

    async def follow(self, on_event: Callable[[Event], None]) -> None:
        """Go on until cancelled."""
        await Follower(self.crawler, self._view, on_event=on_event).run()

    async def _packages_of(self, user: str) -> list[str]:
        """Of a user, and of the scope of that name; of a mirror's, as far as the view knows."""
        found: dict[str, None] = {}
        errors: list[SourceError] = []
        for ask in (self._sources.registry.packages_of, self._sources.registry.packages_in):
            try:
                found |= dict.fromkeys(await ask(user))
            except StatusError as error:
                errors.append(error)
        names = [*found, *(known_of(self._view, user) if errors else ())]
        if not names and errors:
            raise errors[0]
        return names
