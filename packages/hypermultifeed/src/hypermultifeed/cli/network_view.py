"""What a running command says about its network, as JSON and for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from rich.console import Group
from rich.filesize import decimal
from rich.table import Table

from hypermultifeed.cli.running import counted, printable
from hypermultifeed.network.dht import DEFAULT_BOOTSTRAP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType


class PeerFacts(TypedDict):
    """A connected peer; rates are bytes per second of late."""

    address: str
    key: str
    dialled: bool
    local: bool
    shares: bool
    connected_s: float
    bytes_received: int
    bytes_sent: int
    received_per_s: float
    sent_per_s: float


class DhtFacts(TypedDict):
    """Our part in the DHT."""

    nodes: int
    bootstrap: list[str]
    public_address: str | None
    error: str | None


class LanFacts(TypedDict):
    """Our part in the LAN."""

    interfaces: list[str]


class FailureFacts(TypedDict):
    """A connection that came to nothing, or ended with an error."""

    address: str
    error: str
    ago_s: float


class NetworkFacts(TypedDict):
    """Everything; ``dht`` and ``lan`` are None where they are off."""

    command: str
    process: int
    running_s: float
    topic: str
    public_key: str
    listening: list[str]
    dht: DhtFacts | None
    lan: LanFacts | None
    searched: bool
    found: int
    peers: list[PeerFacts]
    failures: list[FailureFacts]
    bytes_received: int
    bytes_sent: int
    feeds: int
    blocks: int
    stored: int


def search_line(facts: NetworkFacts) -> str:
    """Where peers are looked for, and what came of it: ``DHT 3 nodes, LAN on, 0 peers``."""
    parts = []
    if facts["dht"] is not None:
        parts.append(f"DHT {counted(facts['dht']['nodes'], 'node')}")
    if facts["lan"] is not None:
        parts.append("LAN on" if facts["lan"]["interfaces"] else "LAN without network")
    connected = len(facts["peers"])
    if facts["found"] > connected:
        parts.append(f"{facts['found']:,} found")
    return ", ".join([*parts, counted(connected, "peer")])


def announced_line(facts: NetworkFacts) -> str:
    """Where peers find this command now."""
    dht, lan = facts["dht"], facts["lan"]
    places = []
    if dht is not None and dht["nodes"]:
        places.append(f"in the DHT ({counted(dht['nodes'], 'node')})")
    if lan is not None and lan["interfaces"]:
        places.append(f"in the local network ({', '.join(lan['interfaces'])})")
    said = " and ".join(places) or "nowhere: peers need the address"
    if dht is not None and not dht["nodes"]:
        said += f"; {silent_dht(dht)}"
    return said


def silent_dht(dht: DhtFacts) -> str:
    """Which nodes do not answer."""
    names = ", ".join(dht["bootstrap"])
    if dht["bootstrap"] == list(DEFAULT_BOOTSTRAP):
        names = "the old public ones may be gone"
    return f"no node of the DHT answers ({names})"


def nobody_text(facts: NetworkFacts, wait_s: float) -> str:
    """Why no peer was found, as far as is known, and what to do about it."""
    if facts["peers"]:
        met = counted(len(facts["peers"]), "peer")
        return (
            f"connected to {met}, but within {wait_s:g} s none has shown to share a multifeed of"
            " this key; compare what `hypermultifeed key --topic` prints on both sides"
        )
    said = [f"no peer within {wait_s:g} s: {search_line(facts)}"]
    dht, lan = facts["dht"], facts["lan"]
    if facts["failures"]:
        latest = facts["failures"][-1]
        said.append(f"the connection with {latest['address']} failed: {latest['error']}")
    elif facts["found"]:
        said.append("those found cannot be reached; is a firewall between? Try --peer HOST:PORT")
    elif dht is not None and not dht["nodes"]:
        said.append(silent_dht(dht))
        said.append("name another with --bootstrap, or run one with `hypermultifeed bootstrap`")
    else:
        said.append("is `hypermultifeed share` running with this key?")
    if lan is not None and not lan["interfaces"]:
        said.append("there is no local network; peers on this machine need --loopback")
    return "; ".join(said)


def network_view(facts: NetworkFacts) -> RenderableType:
    """All of it, for a person."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column()
    for title, text in _lines(facts):
        grid.add_row(title, text)
    return Group(grid, "", peers_table(facts["peers"])) if facts["peers"] else grid


def _lines(facts: NetworkFacts) -> list[tuple[str, str]]:
    feeds, stored = counted(facts["feeds"], "feed"), facts["stored"]
    lines = [
        ("command", f"{facts['command']}, process {facts['process']}, {span(facts['running_s'])}"),
        ("topic", facts["topic"]),
        ("feeds", f"{feeds}, {stored:,} of {counted(facts['blocks'], 'block')} here"),
        ("listening", ", ".join(distinct(facts["listening"]))),
        ("DHT", _dht_line(facts["dht"])),
        ("LAN", _lan_line(facts["lan"])),
        ("peers", f"{len(facts['peers']):,} connected, {facts['found']:,} found"),
        ("traffic", traffic(facts["bytes_received"], facts["bytes_sent"])),
    ]
    lines += [
        ("failed", f"{one['address']}, {span(one['ago_s'])} ago: {printable(one['error'])}")
        for one in facts["failures"][-3:]
    ]
    return lines


def distinct(addresses: list[str]) -> list[str]:
    """Addresses that differ to a person: [::] says no more than 0.0.0.0 with the same port."""
    return [one for one in addresses if not one.startswith("[::]:")] or addresses


def _dht_line(dht: DhtFacts | None) -> str:
    if dht is None:
        return "off"
    text = f"{counted(dht['nodes'], 'node')} known"
    if dht["public_address"]:
        text += f", we are seen as {dht['public_address']}"
    if not dht["nodes"]:
        return f"{text}; {silent_dht(dht)}"
    return f"{text}; {dht['error']}" if dht["error"] else text


def _lan_line(lan: LanFacts | None) -> str:
    if lan is None:
        return "off"
    return f"on {', '.join(lan['interfaces'])}" if lan["interfaces"] else "no network"


def peers_table(peers: Sequence[PeerFacts]) -> Table:
    """The connected peers for a person; it fits into 80 columns."""
    table = Table(box=None, pad_edge=False)
    for title in ("peer", "key", "shares"):
        table.add_column(title, no_wrap=True)
    for title in ("for", "in", "out", "in/s", "out/s"):
        table.add_column(title, justify="right", no_wrap=True)
    for peer in peers:
        numbers = ("bytes_received", "bytes_sent", "received_per_s", "sent_per_s")
        table.add_row(
            f"{'→' if peer['dialled'] else '←'} {peer['address']}"
            + (" (LAN)" if peer["local"] else ""),
            peer["key"][:8],
            "yes" if peer["shares"] else "not yet",
            span(peer["connected_s"]),
            *(short(peer[one]) for one in numbers),  # type: ignore[literal-required]
        )
    return table


def traffic(received: int, sent: int) -> str:
    """``12 kB received, 1 byte sent``."""
    return f"{decimal(received)} received, {decimal(sent)} sent"


def short(size: float) -> str:
    """A number of bytes, or of bytes a second, without digits that mean nothing: ``1.9 kB``."""
    return decimal(round(size)).replace("bytes", "B").replace("byte", "B")


def span(seconds: float) -> str:
    """A time span in its two largest units: ``1 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"
