"""The verb `bootstrap`: a node with which a private DHT begins."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import click
import ifaddr
from rich.live import Live
from rich.text import Text

from hypermultifeed.cli.local import json_option
from hypermultifeed.cli.network_options import host_option, parsed_addresses, written
from hypermultifeed.cli.running import counted, errors, run, say, say_json
from hypermultifeed.errors import BootstrapError
from hypermultifeed.network.dht import DhtNode

if TYPE_CHECKING:
    from hypermultifeed.network.dht import DhtNodeStats

PORT_DEFAULT: Final = 49737
"""Where nodes of this DHT have always been."""

LOOK_EVERY_S: Final = 1.0
"""How often the figures are shown anew."""

ANY_HOST: Final = "0.0.0.0"  # noqa: S104 - all addresses of this machine


@click.command()
@host_option
@click.option(
    "--port",
    default=PORT_DEFAULT,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="UDP port; 0: any free one.",
)
@click.option(
    "--bootstrap",
    "others",
    metavar="HOST:PORT",
    multiple=True,
    callback=parsed_addresses,
    help="A node of a network that exists, to join it; may be repeated. The first node needs none.",
)
@json_option
def bootstrap(host: str, port: int, others: list[tuple[str, int]], as_json: bool) -> None:
    """Run a node of a private DHT, with which others begin, until Ctrl-C.

    It prints what to give to the other verbs on all machines, such as --bootstrap 10.0.0.1:49737.
    They have to reach its UDP port. It keeps for them who shares what, for a quarter of an hour
    after they last said so, and never sees the data. One is enough; with a second one, that
    was given --bootstrap with the first, either may fail.
    """
    run(serve(host, port, [written(one) for one in others], as_json=as_json))


async def serve(host: str, port: int, others: list[str], *, as_json: bool) -> None:
    """Run the node and say how it fares."""
    async with await DhtNode.listen(host, port, bootstrap=others) as node:
        tell_address(node, as_json=as_json)
        async with asyncio.TaskGroup() as group:
            group.create_task(warn(node))
            if as_json:
                await watch(node, JsonFigures())
            elif errors.is_terminal:
                with Live(console=errors, auto_refresh=False) as live:
                    await watch(node, LiveFigures(live))
            else:
                await asyncio.Event().wait()


async def warn(node: DhtNode) -> None:
    """Say so if the other nodes do not answer; the node keeps trying."""
    try:
        await node.bootstrapped()
    except BootstrapError as error:
        say(f"{error}; trying on")


def tell_address(node: DhtNode, *, as_json: bool) -> None:
    """What others have to be given."""
    host, port = node.address
    addresses = [f"{one}:{port}" for one in (own_hosts() if host == ANY_HOST else [host])]
    if as_json:
        say_json({"event": "listening", "host": host, "port": port, "addresses": addresses})
        return
    say(f"A node of a private DHT on UDP {node.address}. Other machines need:")
    for address in addresses:
        click.echo(f"--bootstrap {address}")


def own_hosts() -> list[str]:
    """The IPv4 addresses at which other machines may reach this one; loopback if there is none."""
    found = [
        ip.ip
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
        if isinstance(ip.ip, str) and not ip.ip.startswith("127.")
    ]
    return found or ["127.0.0.1"]


async def watch(node: DhtNode, figures: LiveFigures | JsonFigures) -> None:
    """Give the figures out every second, for ever."""
    before = 0
    while True:
        stats = node.stats
        datagrams = stats.received + stats.sent
        figures.show(stats, (datagrams - before) / LOOK_EVERY_S)
        before = datagrams
        await asyncio.sleep(LOOK_EVERY_S)


class LiveFigures:
    """One line on a terminal that changes."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, stats: DhtNodeStats, rate: float) -> None:
        """Rewrite it."""
        parts = [counted(stats.nodes, "node"), counted(stats.records, "record")]
        text = ", ".join([*parts, f"{rate:,.0f} datagrams/s"])
        self._live.update(Text(text), refresh=True)


class JsonFigures:
    """A JSON value whenever nodes or records have come or gone."""

    def __init__(self) -> None:
        self._said: tuple[int, int] | None = None

    def show(self, stats: DhtNodeStats, rate: float) -> None:
        """Say it if it is new."""
        counts = stats.nodes, stats.records
        if counts != self._said:
            self._said = counts
            fact = {"nodes": stats.nodes, "records": stats.records, "datagrams_per_s": round(rate)}
            say_json({"event": "status", **fact})
