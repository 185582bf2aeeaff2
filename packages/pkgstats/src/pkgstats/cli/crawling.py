"""``pkgstats crawl`` and ``import``: facts that come in."""

from __future__ import annotations

import sys
import time
from contextlib import AsyncExitStack, suppress
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pkgstats import transfer
from pkgstats.cli.crawl_runs import Asked, Run, own_writer, planned
from pkgstats.cli.folder import group_of, prepared_group
from pkgstats.cli.options import data_option, json_option, network_options
from pkgstats.cli.output import clean, number, remarks, short, show_json
from pkgstats.cli.running import run
from pkgstats.cli.serving import progress_bars
from pkgstats.crawler.memory import Memory
from pkgstats.crawler.notes import FILE, peek
from pkgstats.folder import VIEW_FILE
from pkgstats.indexer import now_ms
from pkgstats.node import Node
from pkgstats.plain import plain
from pkgstats.sources.addresses import find_addresses
from pkgstats.sources.errors import AddressError
from pkgstats.view.reading import View

if TYPE_CHECKING:
    from pkgstats.crawler.crawl import Outcome
    from pkgstats.crawler.plan import Ask
    from pkgstats.crawler.recheck import Rechecked
    from pkgstats.node import Network
    from pkgstats.transfer import Imported, Listed

SHOWN: Final = 20
"""Failures, or requests of a dry run, that are shown one by one."""


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
    asked = Asked(names=names, **options)
    asked.check()
    if dry_run:
        show_plan(asked, folder, as_json)
    else:
        run(crawl_in(folder, asked, network, as_json))


def show_plan(asked: Asked, folder: Path, as_json: bool) -> None:
    """What would be asked."""
    prepared_group(folder)
    addresses = None
    with suppress(AddressError):  # a plan needs no registry
        addresses = find_addresses(asked.registry)
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


async def crawl_in(folder: Path, asked: Asked, network: Network | None, as_json: bool) -> None:
    """Crawl in a node of our own; it has peers while it follows."""
    group = group_of(folder)
    async with AsyncExitStack() as stack:
        bars = stack.enter_context(progress_bars())
        shared = network if asked.follow else None
        node = await stack.enter_async_context(Node(folder, group, network=shared))
        doing = await stack.enter_async_context(Run(node, asked))
        task = bars.add_task("looking", total=None)
        doing.crawler.on_progress = lambda one: bars.update(
            task, description=clean(one.name)[:24], completed=one.done, total=one.total
        )
        if asked.recheck:
            show_rechecked(await doing.recheck(), as_json)
        outcome = await doing.once()
        if outcome is not None:
            show_outcome(outcome, as_json)
        if asked.follow:
            await doing.follow(lambda event: show_event(event.what, event.text, as_json))
        await node.index()


def show_rechecked(found: Rechecked, as_json: bool) -> None:
    """What came of looking at others' records."""
    if as_json:
        show_json(found)
        return
    click.echo(
        f"{number(found.checked)} records of others looked at again, {number(found.wrong)} wrong,"
        f" {number(found.unclear)} unclear"
    )
    for writer, what in found.errors[:SHOWN]:
        click.echo(f"wrong: {short(writer)} {clean(what)}")
    for writer in found.aside:
        click.echo(f"set aside: {short(writer)}; `pkgstats writers` shows the scores")
    if found.private:
        click.echo(f"{number(found.private)} not asked about: their scopes are private", err=True)


def show_event(what: str, text: str, as_json: bool) -> None:
    """One line of following."""
    if as_json:
        show_json({"at": now_ms(), "what": what, "text": text})
        sys.stdout.flush()
    else:
        remarks.print(f"{time.strftime('%H:%M:%S')} {clean(text)}", markup=False)


def show_outcome(outcome: Outcome, as_json: bool) -> None:
    """What came of a run; it has failed if nothing could be looked at."""
    if as_json:
        show_json(outcome)
    else:
        click.echo(
            f"{number(outcome.looked)} looks: {number(outcome.said)} new records,"
            f" {number(outcome.rows)} rows of the list"
        )
        for title, names in (("gone", outcome.gone), ("not known there", outcome.unknown)):
            if names:
                more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                click.echo(f"{title}: {clean(', '.join(names[:SHOWN]))}{more}")
        for name, why in list(outcome.failed.items())[:SHOWN]:
            click.echo(clean(f"{name}: {why}"), err=True)
        if len(outcome.failed) > SHOWN:
            click.echo(f"and {len(outcome.failed) - SHOWN} more went wrong", err=True)
        for remark in outcome.remarks:
            click.echo(clean(remark), err=True)


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
        listed = transfer.read_list(opened, form or transfer.format_of(file))
    if dry_run:
        show_listed(listed, as_json)
        return
    written = file.stat().st_mtime if as_of is None else as_of.replace(tzinfo=UTC).timestamp()
    at = min(now_ms(), int(written * 1000))
    done = run(import_in(folder, listed, at))
    show_imported(done, listed, as_json)


async def import_in(folder: Path, listed: Listed, observed_at: int) -> Imported:
    """Import in a node of our own, with bars."""
    group = group_of(folder)
    async with AsyncExitStack() as stack:
        bars = stack.enter_context(progress_bars())
        node = await stack.enter_async_context(Node(folder, group))
        writer = await own_writer(node)
        memory = await stack.enter_async_context(Memory(folder / FILE, writer))
        task = bars.add_task("sharing rows", total=None)
        done = await transfer.import_rows(
            writer,
            memory,
            listed.rows,
            observed_at=observed_at,
            on_progress=lambda at, total: bars.update(task, completed=at, total=total),
        )
        indexing = bars.add_task("indexing packages", total=len(listed.rows))
        await node.index(lambda at: bars.update(indexing, completed=at))
    return done


def show_listed(listed: Listed, as_json: bool) -> None:
    """What a file holds."""
    if as_json:
        told = {"rows": len(listed.rows), "repeated": listed.repeated, "bad": listed.bad}
        show_json({**told, "reasons": listed.reasons})
        return
    click.echo(f"{number(len(listed.rows))} packages")
    show_bad(listed)


def show_imported(done: Imported, listed: Listed, as_json: bool) -> None:
    """What came of an import."""
    if as_json:
        told = {"repeated": listed.repeated, "bad": listed.bad, "reasons": listed.reasons}
        show_json({**plain(done), **told})
        return
    click.echo(
        f"{number(done.rows)} packages, {number(done.new)} of them new or changed:"
        f" {number(done.blocks)} blocks, {number(done.bytes)} bytes"
    )
    show_bad(listed)


def show_bad(listed: Listed) -> None:
    """What was left out of a file."""
    if listed.repeated:
        click.echo(f"{number(listed.repeated)} lines name a package again", err=True)
    if listed.bad:
        click.echo(f"{number(listed.bad)} lines are left out", err=True)
        for reason in listed.reasons:
            click.echo(f"  {clean(reason)}", err=True)
