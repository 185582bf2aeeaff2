"""Options that several verbs have, and what they mean together."""

from __future__ import annotations

import functools
import ipaddress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import platformdirs

from hypermultifeed import DEFAULT_BOOTSTRAP, parse_key
from pkgstats.network import Network
from pkgstats.search.query import EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Verb = Callable[..., Any]

data_option = click.option(
    "--data",
    "folder",
    envvar="PKGSTATS_DATA",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: platformdirs.user_data_path("pkgstats", appauthor=False),
    show_default="the user's data folder, or $PKGSTATS_DATA",
    help="Where feeds, view and search index are kept.",
)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Answer as JSON, for programs to read."
)


def parsed_key(_: click.Context, __: click.Parameter, text: str | None) -> bytes | None:
    """A key in hex, for click."""
    try:
        return None if text is None else parse_key(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def parsed_day(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    """A day since 1970-01-01 by its date, for click."""
    try:
        return None if text is None else (date.fromisoformat(text) - EPOCH).days
    except ValueError:
        raise click.BadParameter("a day is expected, like 2026-01-31") from None


def parsed_addresses(
    _: click.Context, __: click.Parameter, texts: Sequence[str]
) -> list[tuple[str, int]]:
    """``host:port`` or ``[ipv6]:port``, several of them, for click."""
    return [_address(text) for text in texts]


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise click.BadParameter(f"{text!r} is not HOST:PORT, such as localhost:4711")
    return host, int(port)


_NETWORK: Final = (
    click.option(
        "-p",
        "--peer",
        "peers",
        metavar="HOST:PORT",
        multiple=True,
        callback=parsed_addresses,
        help="Connect to this peer; may be repeated. Then --dht and --lan are off unless given.",
    ),
    click.option("--dht/--no-dht", default=None, help="Find peers, and be found, on the internet."),
    click.option("--lan/--no-lan", default=None, help="Find peers in the local network, by mDNS."),
    click.option(
        "--bootstrap",
        metavar="HOST:PORT",
        multiple=True,
        callback=parsed_addresses,
        envvar="PKGSTATS_BOOTSTRAP",
        help="A node of the DHT to begin with; may be repeated. Also: $PKGSTATS_BOOTSTRAP.",
    ),
    click.option(
        "--peer-host",
        default="0.0.0.0",  # noqa: S104 - to be found is what this is for
        show_default=True,
        help="Address to listen on for peers.",
    ),
    click.option(
        "--peer-port",
        default=0,
        type=click.IntRange(0, 65535),
        help="Port for peers, TCP and UDP; 0: any free one.",
    ),
    click.option("--offline", is_flag=True, help="Talk to no peer at all."),
)


def network_options(verb: Verb) -> Verb:
    """Add the options of verbs that find peers; the verb gets them as ``network``."""

    @functools.wraps(verb)
    def with_network(
        *arguments: Any,
        peers: list[tuple[str, int]],
        bootstrap: list[tuple[str, int]],
        **others: Any,
    ) -> Any:
        dht, lan, host, port, offline = (
            others.pop(name) for name in ("dht", "lan", "peer_host", "peer_port", "offline")
        )
        network = Network(
            dht=not peers if dht is None else dht,
            lan=not peers if lan is None else lan,
            peers=peers,
            bootstrap=[written(one) for one in bootstrap] or DEFAULT_BOOTSTRAP,
            host=host,
            port=port,
            loopback=any(is_loopback(one) for one in (host, *(peer[0] for peer in peers))),
        )
        return verb(*arguments, network=None if offline else network, **others)

    for option in reversed(_NETWORK):
        with_network = option(with_network)
    return with_network


def written(address: tuple[str, int]) -> str:
    """An address as one types it."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether an address or name means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
