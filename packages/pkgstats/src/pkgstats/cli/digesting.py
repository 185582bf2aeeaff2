"""``pkgstats digest``: what is popular, new and rising, for people and for readers of feeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pkgstats import digest as digests
from pkgstats.cli import posting
from pkgstats.cli.folder import prepared_group
from pkgstats.cli.options import data_option, json_option
from pkgstats.cli.output import console, show_json
from pkgstats.cli.posting import posting_options
from pkgstats.folder import VIEW_FILE
from pkgstats.indexer import now_ms
from pkgstats.syndication import as_atom, as_json_feed
from pkgstats.view.reading import View

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option(
    "--format",
    "form",
    default="text",
    show_default=True,
    type=click.Choice(["text", "atom", "jsonfeed"]),
    help="For people, or for readers of feeds.",
)
@click.option(
    "--size",
    default=digests.SIZE,
    show_default=True,
    type=click.IntRange(1, 100),
    help="Packages of each part.",
)
@posting_options
@data_option
@json_option
def digest(folder: Path, form: str, size: int, as_json: bool, post: bool, **options: Any) -> None:
    """Print what is most popular, newest and rising, and some packages at random.

    With --post they become posts, one for each package, the parts in turns. A package is not posted
    again to the same place for 90 days. Ctrl-C ends posting; the next run goes on.
    """
    if not post and (options["to"] or options["dry_run"]):
        raise click.UsageError("--to and --dry-run belong to --post")
    if post and form != "text":
        raise click.UsageError("--post has no --format: posts are text")
    wanted = posting.Wanted(**options)
    if post:
        wanted.check()
    prepared_group(folder)
    now = now_ms()
    with View.open(folder / VIEW_FILE) as view:
        found = digests.gather(view, now, size=size)
    if post:
        posting.post(folder, found, wanted, now / 1000, as_json=as_json)
    elif as_json:
        show_json(found)
    elif form == "text":
        console().print(digests.as_text(found), end="", markup=False, soft_wrap=True)
    else:
        made = (
            as_atom(digests.as_feed(found))
            if form == "atom"
            else as_json_feed(digests.as_feed(found))
        )
        click.echo(made, nl=False)
