"""Options of the verbs that find peers, and what they mean together."""

from __future__ import annotations

import functools
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Address = tuple[str, int]
    Verb = Callable[..., Any]
    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PEERS_MAX_DEFAULT: Final = 24
"""As in hyperswarm."""


def parsed_address(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> Address | None:
    """``host:port`` or ``[ipv6]:port``, for click."""
    if text is None:
        return None
    host, separator, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise click.BadParameter(f"{text!r} is not HOST:PORT, such as localhost:4711")
    return host, int(port)


def parsed_addresses(
    context: click.Context, parameter: click.Parameter, texts: Sequence[str]
) -> list[Address]:
    """Several of them."""
    found = [parsed_address(context, parameter, text) for text in texts]
    return [address for address in found if address is not None]


def parsed_networks(
    _context: click.Context, _parameter: click.Parameter, texts: Sequence[str]
) -> list[Network]:
    """Networks such as ``10.0.0.0/8``, or single addresses, for click."""
    try:
        return [ipaddress.ip_network(text, strict=False) for text in texts]
    except ValueError as error:
        raise click.BadParameter(f"{error}; write it like 10.0.0.0/8") from error


def written(address: Address) -> str:
    """An address as one types it."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True)
class NetworkOptions:
    """How to find peers, as the options say.

    Attributes:
        peers: addresses to dial, whatever else is found.
        dht, lan: search there.
        bootstrap: ``host:port`` of each DHT node to begin with; None means the default ones.
        host, port: where to listen.
        loopback: peers on this machine count.
        peers_max: connections at once.
    """

    peers: list[Address]
    dht: bool
    lan: bool
    bootstrap: list[str] | None
    host: str
    port: int
    loopback: bool
    only: list[Network]
    excluded: list[Network]
    peers_max: int

    @property
    def searches(self) -> bool:
        """Whether peers are looked for beyond the addresses given."""
        return self.dht or self.lan

    def allows(self, host: str, _port: int) -> bool:
        """The address filter of ``--only`` and ``--not``; names were given by the user: yes."""
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return True
        address = getattr(address, "ipv4_mapped", None) or address
        if any(address in network for network in self.excluded):
            return False
        return not self.only or any(address in network for network in self.only)


bootstrap_option = click.option(
    "--bootstrap",
    metavar="HOST:PORT",
    multiple=True,
    envvar="HYPERMULTIFEED_BOOTSTRAP",
    callback=parsed_addresses,
    help="A DHT node to begin with, instead of the public ones; may be repeated. Also:"
    " $HYPERMULTIFEED_BOOTSTRAP, separated by spaces.",
)

host_option = click.option(
    "--host",
    default="0.0.0.0",  # noqa: S104 - to be found is what these verbs are for
    show_default=True,
    help="Address to listen on; 0.0.0.0 is all of this machine's.",
)

port_option = click.option(
    "--port",
    default=0,
    type=click.IntRange(0, 65535),
    help="TCP and UDP port; 0: any free one.",
)

_OPTIONS: Final = (
    click.option(
        "-p",
        "--peer",
        "peers",
        metavar="HOST:PORT",
        multiple=True,
        callback=parsed_addresses,
        help="Connect to this peer; may be repeated. Then --dht and --lan are off unless given.",
    ),
    click.option(
        "--dht/--no-dht",
        default=None,
        envvar="HYPERMULTIFEED_DHT",
        help="Find and be found in the DHT, on the internet. Also: $HYPERMULTIFEED_DHT, 0 or 1.",
    ),
    click.option(
        "--lan/--no-lan",
        default=None,
        envvar="HYPERMULTIFEED_LAN",
        help="Find and be found in the local network, by mDNS. Also: $HYPERMULTIFEED_LAN.",
    ),
    bootstrap_option,
    host_option,
    port_option,
    click.option(
        "--loopback/--no-loopback",
        default=None,
        envvar="HYPERMULTIFEED_LOOPBACK",
        help="Take peers on this machine's loopback, too. Also: $HYPERMULTIFEED_LOOPBACK.",
    ),
    click.option(
        "--only",
        metavar="NETWORK",
        multiple=True,
        callback=parsed_networks,
        help="Connect only within this network, such as 10.0.0.0/8; may be repeated.",
    ),
    click.option(
        "--not",
        "excluded",
        metavar="NETWORK",
        multiple=True,
        callback=parsed_networks,
        help="Never connect there; may be repeated.",
    ),
    click.option(
        "--peers-max",
        default=PEERS_MAX_DEFAULT,
        show_default=True,
        type=click.IntRange(1),
        help="Connections at once.",
    ),
)


def network_options(verb: Verb) -> Verb:
    """Add the options of verbs that find peers; the verb gets them as ``network``."""

    @functools.wraps(verb)
    def with_network(
        *arguments: Any,
        peers: list[Address],
        dht: bool | None,
        lan: bool | None,
        bootstrap: list[Address],
        host: str,
        loopback: bool | None,
        **others: Any,
    ) -> Any:
        searching = not peers
        if loopback is None:  # who names a loopback address means it
            loopback = is_loopback(host) or any(is_loopback(peer[0]) for peer in peers)
        network = NetworkOptions(
            peers=peers,
            dht=searching if dht is None else dht,
            lan=searching if lan is None else lan,
            bootstrap=[written(one) for one in bootstrap] or None,
            host=host,
            loopback=loopback,
            **{name: others.pop(name) for name in ("port", "only", "excluded", "peers_max")},
        )
        return verb(*arguments, network=network, **others)

    for option in reversed(_OPTIONS):
        with_network = option(with_network)
    return with_network


def only_these_peers(peers: list[Address]) -> NetworkOptions:
    """Connect to these, and look for nobody else."""
    return NetworkOptions(
        peers=peers,
        dht=False,
        lan=False,
        bootstrap=None,
        host="0.0.0.0",  # noqa: S104 - as the option's default
        port=0,
        loopback=any(is_loopback(host) for host, _ in peers),
        only=[],
        excluded=[],
        peers_max=PEERS_MAX_DEFAULT,
    )


def is_loopback(host: str) -> bool:
    """Whether an address or name means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
