"""``pkgstats why`` and ``writers``: who says what, and whose word counts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

import click

from hypermultifeed import StorageLockedError
from pkgstats.cli.folder import opened, prepared_group
from pkgstats.cli.options import data_option, json_option
from pkgstats.cli.output import (
    ROOMY,
    cell,
    clean,
    console,
    day_of,
    number,
    remarks,
    short,
    show_json,
    table,
)
from pkgstats.cli.running import FoundNothing, run
from pkgstats.indexer import now_ms
from pkgstats.node import Node
from pkgstats.records.model import CORES
from pkgstats.view.reading import View
from pkgstats.view.why import why as every_word

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pkgstats.group import Group
    from pkgstats.view.facts import Said, WriterFacts

STYLES: Final = {"wins": "green", "disputed": "yellow"}

EPOCH: Final = date(1970, 1, 1)


def parsed_day(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    """A date such as 2026-08-28 as days since 1970, for click."""
    if text is None:
        return None
    try:
        return (date.fromisoformat(text) - EPOCH).days
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a date such as 2026-08-28") from error


@click.command()
@click.argument("name")
@click.argument("day", required=False, callback=parsed_day)
@data_option
@json_option
def why(folder: Path, name: str, day: int | None, as_json: bool) -> None:
    """Show who says what of a package, or of its downloads on a DAY, and which word counts."""
    group = prepared_group(folder)
    try:
        said = run(said_in_feeds(folder, group, name, day))
    except StorageLockedError:
        with opened(folder) as here:
            said = here.view.why(name, day)
        remarks.print(
            "the folder is in use: this is what counts now; older words stay in the feeds"
        )
    if as_json:
        show_json(said)
    elif said:
        show_said(said)
    if not said:
        if not as_json:
            click.echo(f"{clean(name)}: nobody has said anything of it", err=True)
        raise FoundNothing


async def said_in_feeds(folder: Path, group: Group, name: str, day: int | None) -> list[Said]:
    """Every word, the older ones too."""
    async with Node(folder, group) as node:
        await node.catch_up()
        with View.open(node.view_path) as view:
            return await every_word(view, node.multis, name, day, now=now_ms())


def show_said(said: Sequence[Said]) -> None:
    """Words as a table, those about one thing below each other."""
    out = console()
    when = moment if out.width >= ROOMY else day_of
    columns = [
        ("about", "left"),
        ("said", "fold"),
        ("verdict", "left"),
        ("by", "left"),
        ("seen", "left"),
        ("source", "more left"),
        ("block", "more right"),
    ]
    rows = [
        [
            cell(text, STYLES.get(one.verdict, ""))
            for text in (
                f"{one.about} {one.key}",
                one.value,
                one.verdict,
                short(one.writer),
                when(one.observed_at),
                one.source,
                number(one.block),
            )
        ]
        for one in said
    ]
    out.print(table(columns, rows, out=out))


def moment(ms: int) -> str:
    """A time to the minute, UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


@click.command()
@data_option
@json_option
def writers(folder: Path, as_json: bool) -> None:
    """Show the writers whose words were read, and how they stand."""
    with opened(folder) as here:
        found = here.view.writers()
    if as_json:
        show_json(found)
        return
    columns = [
        ("writer", "left"),
        ("called", "left"),
        ("role", "left"),
        ("records", "right"),
        ("refused", "right"),
        ("checked", "more right"),
        ("wrong", "more right"),
        ("heard of", "left"),
    ]
    out = console()
    out.print(table(columns, [row_of(one) for one in found], out=out))
    click.echo("`--json` has the whole keys", err=True)


def row_of(facts: WriterFacts) -> tuple[str, ...]:
    """A writer as a line."""
    cores = [facts.cores[kind] for kind in CORES if kind in facts.cores]
    refused = sum(sum(core.refused.values()) for core in cores)
    beat = facts.heartbeat or facts.card
    return (
        short(facts.key),
        facts.card.title if facts.card else "-",
        "set aside" if facts.aside else facts.role or "not accepted",
        number(sum(core.records for core in cores)),
        number(refused),
        number(facts.checked),
        number(facts.wrong),
        day_of(beat.observed_at) if beat else "-",
    )
