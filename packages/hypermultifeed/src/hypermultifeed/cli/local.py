"""Verbs that need no network: create, append, feeds, key, doctor."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from hypermultifeed.cli.asking import reached
from hypermultifeed.cli.input import blocks
from hypermultifeed.cli.running import (
    counted,
    opened,
    opened_as,
    parsed_key,
    patiently,
    printable,
    root_keys,
    run,
    say,
    say_json,
    show,
)
from hypermultifeed.errors import CorruptStorageError
from hypermultifeed.keys import KeyPair, discovery_key

if TYPE_CHECKING:
    from hypermultifeed.cli.folder import FeedFacts, Writer
    from hypermultifeed.errors import ForkError
    from hypermultifeed.hypercore import Hypercore

json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")


@click.command()
@click.option(
    "--key",
    "given",
    metavar="HEX",
    help="Take part in the multifeed of this key instead of a new one; - reads it from input.",
)
@json_option
@click.pass_context
def create(context: click.Context, given: str | None, as_json: bool) -> None:
    """Make a multifeed in a new folder.

    Its key is what peers need to find and read it; nothing else guards it. Show it with
    `hypermultifeed key`.
    """
    text = sys.stdin.readline() if given == "-" else given
    key = KeyPair.generate().public_key if text is None else parsed_key(text)
    folder = Path(context.obj[0])

    async def work() -> None:
        if await patiently(lambda: root_keys(folder)):
            raise click.ClickException(f"{folder} holds a multifeed already")
        async with opened_as(folder, key):
            pass

    run(work())
    topic = discovery_key(key).hex()
    if as_json:
        say_json({"folder": str(folder), "discovery_key": topic})
    else:
        click.echo(f"created {folder}\ntopic   {topic}")
        say("peers need its key: hypermultifeed key")


@click.command()
@click.argument("sources", nargs=-1, metavar="[FILE]...", type=click.Path())
@click.option("-w", "--writer", default="local", show_default=True, help="The feed's name.")
@click.option(
    "-b",
    "--blocks",
    "kind",
    type=click.Choice(["lines", "json", "files"]),
    default="lines",
    show_default=True,
    help="What becomes one block: a line, a line with a JSON value in it, or a whole file.",
)
@json_option
@click.pass_context
def append(
    context: click.Context, sources: tuple[str, ...], writer: str, kind: str, as_json: bool
) -> None:
    """Append blocks to a feed of our own, from files or from standard input.

    The feed is made when it is first written to.

    \b
      echo '{"hello":"world"}' | hypermultifeed append --blocks json
      hypermultifeed append --writer photos --blocks files *.jpg
    """

    async def work() -> None:
        async with reached(context) as folder:
            feed = await folder.writer(writer)
            start = feed.length
            try:
                async for batch in blocks(sources, kind):
                    await feed.extend(batch)
            finally:
                report(feed, start)

    def report(feed: Writer, start: int) -> None:
        fact = {"feed": feed.key, "name": writer, "start": start, "length": feed.length}
        if as_json:
            say_json(fact)
        else:
            said = f"appended {counted(feed.appended, 'block')} to {printable(writer)}"
            say(f"{said}, now {feed.length:,} ({feed.key[:8]}…)")

    run(work())


@click.command()
@json_option
@click.pass_context
def feeds(context: click.Context, as_json: bool) -> None:
    """List the feeds: name, length, what of it is here, and whether it is ours to write."""

    async def work() -> None:
        async with reached(context) as folder:
            facts = await folder.feeds()
        if as_json:
            for fact in facts:
                say_json(fact)
        else:
            show(feeds_table(facts))

    run(work())


def feeds_table(facts: list[FeedFacts]) -> Table:
    """The feeds for a person."""
    table = Table(box=None, pad_edge=False)
    table.add_column("name")
    for title in ("blocks", "here", "bytes"):
        table.add_column(title, justify="right")
    table.add_column("ours")
    table.add_column("key", no_wrap=True)
    for fact in facts:
        numbers = (f"{number:,}" for number in (fact["length"], fact["stored"], fact["bytes"]))
        ours = ("yes" if fact["writable"] else "no") + (", forked" if fact["forked"] else "")
        table.add_row(printable(fact["name"]), *numbers, ours, fact["key"])
    return table


@click.command()
@click.option(
    "--topic", is_flag=True, help="Only the discovery key: it finds the multifeed, reads nothing."
)
@click.pass_context
def key(context: click.Context, topic: bool) -> None:
    """Print the multifeed's key, in hex. Whoever has it can read everything and add feeds."""

    async def work() -> None:
        async with reached(context) as folder:
            click.echo((discovery_key(folder.key) if topic else folder.key).hex())

    run(work())


@click.command()
@json_option
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Check every stored block against its signed hash, and say how to mend what is damaged.

    Damaged blocks are forgotten, so that the next sync fetches them again. A feed is forked if
    its owner signed two histories; the proof of that is kept and shown. The exit code is 5 if
    anything was damaged or forked.
    """
    folder = Path(context.obj[0])
    damaged: list[str] = []
    forked: list[str] = []

    async def work() -> None:
        async with opened(context) as here:
            for name, feed in here.feeds():
                fact = await examined(name, feed)
                if fact["damaged"]:
                    damaged.append(name)
                if fact["fork"]:
                    forked.append(name)
                if as_json:
                    say_json(fact)
                else:
                    click.echo(diagnosis(fact))

    try:
        run(work())
    except CorruptStorageError as error:
        say(f"Damaged: {error}")
        say(UNREADABLE)
        sys.exit(5)
    if not as_json:
        for line in advice(folder, damaged, forked):
            click.echo(line)
    if damaged or forked:
        sys.exit(5)


UNREADABLE = """\
This file is needed to open the feed at all. If it lies in a folder of 64 hex digits: move that
folder away and sync with a peer that has the feed; it comes back whole. If the feed was your own
and its secret key is lost, go on with a new writer. Copy the whole folder before you try."""


async def examined(name: str, feed: Hypercore) -> dict[str, object]:
    """What an audit of one feed found, for JSON."""
    before = feed.downloaded()
    report = await feed.audit()
    return {
        "name": name,
        "key": feed.key.hex(),
        "writable": feed.writable,
        "length": feed.length,
        "valid": report.valid,
        "damaged": report.invalid,
        "first_damaged": list(report.bad[:10]),
        "missing": feed.length - before,
        "fork": fork_facts(feed.fork),
    }


def fork_facts(fork: ForkError | None) -> dict[str, object] | None:
    """The proof of a fork, for JSON: two roots that the owner signed."""
    if fork is None:
        return None
    return {
        side: {"length": length, "tree_hash": tree_hash.hex(), "signature": signature.hex()}
        for side, (length, tree_hash, signature) in (("ours", fork.ours), ("theirs", fork.theirs))
    }


def diagnosis(fact: dict[str, object]) -> str:
    """One line about one feed."""
    state = "damaged" if fact["damaged"] else "forked" if fact["fork"] else "good"
    text = f"{state:8} {printable(str(fact['name']))}: {counted(fact['valid'], 'block')} verified"
    if fact["damaged"]:
        text += f", {fact['damaged']:,} damaged (the first: {fact['first_damaged']})"
    return text + (f", {fact['missing']:,} not fetched yet" if fact["missing"] else "")


def advice(folder: Path, damaged: list[str], forked: list[str]) -> list[str]:
    """What to do now."""
    said = []
    if forked:
        said.append(
            "A forked feed's secret key was used in two places. What came first stays readable,"
        )
        said.append("nothing more is fetched: its owner has to go on with a new writer.")
    if damaged:
        said.append(
            "The damaged blocks were forgotten. `hypermultifeed sync` with a peer that has them"
        )
        said.append("fetches them again; a feed of your own cannot grow before that.")
    if sys.platform != "win32" and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        said.append(f"Others can look into {folder}, which holds keys: chmod 700 {folder}")
    return said or ["Nothing to mend."]
