"""``pkgstats crawl`` and ``import``: facts that come in."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pkgstats import runs, transfer
from pkgstats.cli.asking import run_in_serve
from pkgstats.cli.crawl_runs import planned
from pkgstats.cli.folder import group_of, prepared_group
from pkgstats.cli.options import data_option, json_option, network_options
from pkgstats.cli.output import clean, number, progress_bars, show_json
from pkgstats.cli.running import run
from pkgstats.cli.showing import Shown, show_imported, show_listed
from pkgstats.crawler.asked import Asked
from pkgstats.crawler.notes import FILE, peek
from pkgstats.folder import VIEW_FILE
from pkgstats.indexer import now_ms
from pkgstats.node import Node
from pkgstats.sample import begin
from pkgstats.sources.addresses import find_addresses
from pkgstats.sources.errors import AddressError
from pkgstats.view.reading import View
from pkgstats.web.door import Door

if TYPE_CHECKING:
    from pkgstats.crawler.plan import Ask
    from pkgstats.network import Network
    from pkgstats.sources.addresses import Addresses
    from pkgstats.transfer import Format, Imported, Listed

FOLLOWS_ITSELF: Final = (
    "`pkgstats serve` runs on this folder; let it follow by itself: `pkgstats serve --follow`"
)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME|@USER]...")
@click.option("--top", type=click.IntRange(1, 5_000_000), help="The most downloaded packages.")
@click.option("--follow", is_flag=True, help="Go on for ever: what changes, and what is due.")
@click.option(
    "--recheck", is_flag=True, help="Look at some of other writers' records again, a few a day."
)
@click.option("--full/--light", default=None, help="Versions, readme, weeks; or but the latest.")
@click.option(
    "--max-age",
    type=click.FloatRange(0),
    metavar="HOURS",
    help="Leave out what was looked at so lately.  [default: 20 for --top, 0 for names]",
)
@click.option("--dry-run", is_flag=True, help="Print what would be asked, and ask nothing.")
@click.option("--registry", metavar="ADDRESS", help="Else as npm is configured.")
@network_options
@data_option
@json_option
def crawl(
    folder: Path, names: tuple[str, ...], dry_run: bool, as_json: bool, network: Any, **options: Any
) -> None:
    """Ask the registry about packages, and share what is new of them.

    NAME is a package, @USER a user or a scope: all of its packages. Packages that were named are
    watched: with --follow they are looked at each week. Ctrl-C ends a crawl at any point; the next
    one goes on from there, and says nothing twice.
    """
    if not (names or options["top"] or options["follow"] or options["recheck"]):
        raise click.UsageError("say which packages: NAME, @USER, --top N, --follow or --recheck")
    registry = options.pop("registry")
    asked = Asked(names=names, **options)
    asked.check()
    if dry_run:
        show_plan(asked, folder, registry, as_json)
    else:
        crawl_somewhere(folder, asked, registry, network, as_json)


def show_plan(asked: Asked, folder: Path, registry: str | None, as_json: bool) -> None:
    """What would be asked."""
    prepared_group(folder)
    addresses = None
    with suppress(AddressError):  # a plan needs no registry
        addresses = find_addresses(registry)
    with View.open(folder / VIEW_FILE) as view, peek(folder / FILE) as memory:
        plan = planned(asked, view, memory, now_ms(), addresses)
    seconds = plan.seconds
    if as_json:
        show_json({"requests": plan.asks, "seconds": round(seconds), "notes": plan.notes})
        return
    for one in plan.asks:
        click.echo(address_of(one))
    for note in plan.notes:
        click.echo(note, err=True)
    click.echo(f"{number(len(plan.asks))} requests, {duration(seconds)} at least", err=True)


def address_of(ask: Ask) -> str:
    """A request in one line."""
    return f"GET {ask.role:9} {clean(ask.path)}"


def duration(seconds: float) -> str:
    """Seconds, minutes, hours or days, for people."""
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def crawl_somewhere(
    folder: Path, asked: Asked, registry: str | None, network: Network | None, as_json: bool
) -> None:
    """Crawl in a running `serve`, else in a node of our own, with bars."""
    addresses = find_addresses(registry)
    if asked.follow and Door.of(folder) is not None:
        raise click.ClickException(FOLLOWS_ITSELF)
    with progress_bars() as bars:
        tell = Shown(bars, as_json)
        if not run_in_serve(folder, "crawl", tell, asked=asked, addresses=addresses):
            run(crawl_in(folder, asked, addresses, network, tell))


async def crawl_in(
    folder: Path, asked: Asked, addresses: Addresses, network: Network | None, tell: Shown
) -> None:
    """Crawl in a node of our own; it has peers while it follows."""
    shared = network if asked.follow else None
    async with Node(folder, group_of(folder), network=shared) as node:
        await begin(node)
        await runs.crawl(node, asked, addresses, tell)
        if asked.follow:
            crawling = await node.crawling()
            await crawling.follow(addresses, tell.event)


@click.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "form", type=click.Choice(["tsv", "ndjson"]), help="Else by the name.")
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day (UTC) of which the list tells.  [default: when the file was written]",
)
@click.option("--dry-run", is_flag=True, help="Read the file, and say what is in it.")
@data_option
@json_option
def import_(folder: Path, file: Path, form: Any, as_of: Any, dry_run: bool, as_json: bool) -> None:
    """Share a list of packages: name, version, downloads a month, summary.

    FILE is TSV, its first line the columns name, version, downloads_a_month and perhaps summary, or
    NDJSON with such objects. Of a list that comes again only rows that have changed are shared.
    """
    with file.open("rb") as opened:
        form = form or transfer.format_of(file)
        listed = transfer.read_list(opened, form)
    if dry_run:
        show_listed(listed, as_json)
        return
    written = file.stat().st_mtime if as_of is None else as_of.replace(tzinfo=UTC).timestamp()
    at = min(now_ms(), int(written * 1000))
    done = import_somewhere(folder, file, form, listed, at)
    show_imported(done, listed, as_json)


def import_somewhere(folder: Path, file: Path, form: Format, listed: Listed, at: int) -> Imported:
    """Import in a running `serve`, else in a node of our own, with bars."""
    with progress_bars() as bars:
        tell = Shown(bars, as_json=False)
        told = {"file": str(file.resolve()), "format": form, "observed_at": at}
        if not run_in_serve(folder, "import", tell, **told):
            run(import_in(folder, listed, at, tell))
    if tell.imported is None:
        raise click.ClickException("the import has ended early; the next one goes on from there")
    return tell.imported


async def import_in(folder: Path, listed: Listed, at: int, tell: Shown) -> None:
    """Import in a node of our own."""
    async with Node(folder, group_of(folder)) as node:
        await runs.import_rows(node, listed.rows, at, tell)
