"""The options of ``pkgstats serve`` beyond the network's, and what they mean together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pkgstats.group import SEARCH_KINDS
from pkgstats.node import TOO_FEW
from pkgstats.records.model import CORES
from pkgstats.sources.addresses import find_addresses

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pkgstats.network import Network
    from pkgstats.sources.addresses import Addresses
    from pkgstats.web.site import Settings

    Verb = Callable[..., Any]

pages_options = (
    click.option(
        "--host",
        default="127.0.0.1",
        show_default=True,
        help="Address of the pages; any other than this machine's own needs --public.",
    ),
    click.option(
        "--port",
        default=8642,
        show_default=True,
        type=click.IntRange(0, 65535),
        help="Port of the pages; 0: any free one.",
    ),
    click.option("--public", is_flag=True, help="Let others read the pages too."),
    click.option("--indexed", is_flag=True, help="Let search engines list the pages."),
    click.option(
        "--base", default="", metavar="ADDRESS", help="How others reach the pages: https://HOST."
    ),
    click.option(
        "--trust-proxy",
        is_flag=True,
        help="All readers come through a proxy of yours: believe whose requests it says they are.",
    ),
    click.option(
        "--access-log",
        default="",
        metavar="FILE",
        help="Write a line for each request, without what was searched for; -: into pages.log.",
    ),
    click.option("--log-queries", is_flag=True, help="Write what was searched for, too."),
    click.option("--open-metrics", is_flag=True, help="Let others read /metrics, too."),
)

crawl_options = (
    click.option("--follow", is_flag=True, help="Crawl for ever: what changes, and what is due."),
    click.option("--fetch", is_flag=True, help="Look packages up that are not held, when asked."),
    click.option("--registry", metavar="ADDRESS", help="For these. Else as npm is configured."),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a `serve` does.

    Attributes:
        network: how to find peers; None: stay alone.
        kinds: of the cores to share.
        title: of the writer to open; None: none.
        host, port: of the pages.
        settings: of the pages.
        follow, fetch: who is asked for ever, and about packages that are looked at; None: nobody.
    """

    network: Network | None
    kinds: Collection[str]
    title: str | None
    host: str
    port: int
    settings: Settings
    follow: Addresses | None = None
    fetch: Addresses | None = None

    @property
    def asks(self) -> str:
        """About what a registry is asked, for people."""
        follows = ["what changes, and what is due"] if self.follow else []
        fetches = ["packages that are not held, once somebody looks at them"] if self.fetch else []
        return "; ".join([*follows, *fetches]) or "nothing: neither --follow nor --fetch"

    @property
    def readers(self) -> str:
        """Who may read the pages, for people."""
        return "whoever reaches them (--public)" if self.settings.public else "this machine alone"


def all_of(*options: Any) -> Callable[[Verb], Verb]:
    """Several options, in their order."""

    def add(verb: Verb) -> Verb:
        for option in reversed(options):
            verb = option(verb)
        return verb

    return add


def planned(
    *,
    network: Network | None,
    search_only: bool,
    writes: bool,
    title: str,
    host: str,
    port: int,
    public: bool,
    indexed: bool,
    base: str,
    trust_proxy: bool,
    access_log: str,
    log_queries: bool,
    open_metrics: bool,
    follow: bool,
    fetch: bool,
    registry: str | None,
) -> Plan:
    """What the options mean together.

    Raises:
        AddressError: a registry is needed, and none is known.
    """
    from pkgstats.web.server import refuse_public  # noqa: PLC0415 - a tenth of a second
    from pkgstats.web.site import Settings  # noqa: PLC0415

    try:
        refuse_public(host, public=public)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if search_only and (follow or fetch):
        raise click.UsageError(TOO_FEW)
    addresses = find_addresses(registry) if follow or fetch else None
    return Plan(
        network,
        SEARCH_KINDS if search_only else CORES,
        title if writes else None,
        host,
        port,
        Settings(
            public=public,
            indexed=indexed,
            base=base.rstrip("/"),
            trust_proxy=trust_proxy,
            access_log=access_log if access_log in ("", "-") else str(Path(access_log).absolute()),
            log_queries=log_queries,
            open_metrics=open_metrics,
        ),
        follow=addresses if follow else None,
        fetch=addresses if fetch else None,
    )
