"""Verbs about a running command: peers, network, stop."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console
from rich.live import Live

from hypermultifeed.cli.asking import asked
from hypermultifeed.cli.local import json_option
from hypermultifeed.cli.network_view import network_view, peers_table, search_line
from hypermultifeed.cli.running import patiently, printable, root_keys, run, say, say_json, show

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hypermultifeed.cli.asking import Holder
    from hypermultifeed.cli.network_view import NetworkFacts

EVERY_S: Final = 1.0
"""How often `network --live` asks again."""

STOP_PATIENCE_S: Final = 15.0
"""How long `stop` waits for the folder: streams are ended and announcements taken back first."""


@click.command()
@json_option
@click.pass_context
def peers(context: click.Context, as_json: bool) -> None:
    """List the peers that the running command is connected to.

    It is asked for, so there has to be one: `share`, or a `clone` or `sync` under way.
    """

    async def work() -> None:
        async with holder_of(Path(context.obj[0])) as holder:
            facts = await network_facts(holder)
        if as_json:
            for peer in facts["peers"]:
                say_json(peer)
        elif facts["peers"]:
            show(peers_table(facts["peers"]))
        else:
            say(f"no peers yet: {search_line(facts)}")

    run(work())


@click.command()
@click.option("-l", "--live", is_flag=True, help="Keep it up to date, until Ctrl-C.")
@json_option
@click.pass_context
def network(context: click.Context, live: bool, as_json: bool) -> None:
    """Show what the running command is doing: where it listens and searches, peers and traffic.

    It is asked for, so there has to be one: `share`, or a `clone` or `sync` under way. With
    --live and --json there is one line a second.
    """

    async def work() -> None:
        async with holder_of(Path(context.obj[0])) as holder:
            if as_json:
                async for facts in observed(holder, live=live):
                    say_json(facts)
            elif not live:
                show(network_view(await network_facts(holder)))
            else:
                with Live(console=Console(highlight=False), auto_refresh=False) as screen:
                    async for facts in observed(holder, live=live):
                        screen.update(network_view(facts), refresh=True)

    run(work())


@click.command()
@click.pass_context
def stop(context: click.Context) -> None:
    """End the command that has the folder open, in order, and wait until it has gone."""
    folder = Path(context.obj[0])

    async def work() -> None:
        async with holder_of(folder) as holder:
            fact = await holder.ask("stop")
        await patiently(lambda: root_keys(folder), STOP_PATIENCE_S)
        say(f"stopped {printable(str(fact['command']))}, process {fact['process']}")

    run(work())


@asynccontextmanager
async def holder_of(folder: Path) -> AsyncIterator[Holder]:
    """The running command.

    Raises:
        click.ClickException: there is none.
    """
    async with asked(folder) as holder:
        if holder is None:
            raise click.ClickException(
                f"no command is connecting {folder} with peers; `hypermultifeed share` does"
            )
        yield holder


async def network_facts(holder: Holder) -> NetworkFacts:
    """Ask the running command about its network."""
    facts: Any = {}
    peers: list[Any] = []
    async for message in holder.replies("network"):
        peers += [message.fields["peer"]] if "peer" in message.fields else []
        facts.update(message.fields.get("network", {}))
    facts["peers"] = peers
    result: NetworkFacts = facts
    return result


async def observed(holder: Holder, *, live: bool) -> AsyncIterator[NetworkFacts]:
    """The same once, or every second until the command ends."""
    yield await network_facts(holder)
    while live:
        await asyncio.sleep(EVERY_S)
        yield await network_facts(holder)
