"""The network: who writes, how much of it is here, and with whom it is shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pkgstats.charts.mesh import MeshNode, mesh
from pkgstats.records.model import CORES
from pkgstats.web.render import counted
from pkgstats.web.site import Page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from pkgstats.view.facts import CoreFacts, Counts, WriterFacts
    from pkgstats.web.site import Site

PEERS_MAX: Final = 200
"""Peers in the table."""

OWNER: Final = "owner"
"""The role of the group's own feed, which names the writers and tells nothing of packages."""

KEY_DIGITS: Final = 8
"""Of a peer's key: enough to tell peers apart."""


@dataclass(frozen=True, slots=True)
class Core:
    """One of a writer's feeds.

    Attributes:
        kind: one of `CORES`.
        read: blocks that were read.
        length: blocks that are known to exist; None without a node to ask.
        until: how many count; None: all.
        records: that it held; refused: of these, or of blocks, how many do not count.
    """

    kind: str
    read: int
    length: int | None
    until: int | None
    records: int
    refused: int


@dataclass(frozen=True, slots=True)
class Writer:
    """A writer.

    Attributes:
        key: it is known by.
        title: what it calls itself.
        role: as the group's list has it; empty: it is not accepted any more.
        standing: ``counts``, ``revoked``: what it said up to some block counts; ``set aside``:
            too much of it was wrong; ``left out``: nothing of it counts.
        heartbeat: when it last said that it is at work, ms; None if never.
        looked_at: packages that it had looked at since the heartbeat before; None if none.
        checked, wrong: of its records that were looked at again here.
        cores: its feeds.
        records, refused: of all of them.
        behind: blocks that exist and were not read yet; None where no node can be asked.
    """

    key: bytes
    title: str
    role: str
    standing: str
    heartbeat: int | None
    looked_at: int | None
    checked: int
    wrong: int
    cores: tuple[Core, ...]
    records: int
    refused: int
    behind: int | None


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer that is connected.

    Attributes:
        key: the first digits of its key.
        address: host and port; empty for readers elsewhere.
        dialled: whether this peer has dialled it.
        local: whether it is in the same network.
        kinds: what is shared with it.
        connected_s: for how long.
        received, sent: bytes so far; received_per_s, sent_per_s: bytes a second.
    """

    key: str
    address: str
    dialled: bool
    local: bool
    kinds: tuple[str, ...]
    connected_s: float
    received: int
    sent: int
    received_per_s: float
    sent_per_s: float


@dataclass(frozen=True, slots=True)
class Reach:
    """This peer in the network.

    Attributes:
        key: the first digits of its key.
        dht: nodes of the DHT that it knows; None: it is not in one.
        lan: whether it looks for peers in the local network.
        received, sent: bytes with all peers so far.
        failed: of the latest connections.
    """

    key: str
    dht: int | None
    lan: bool
    received: int
    sent: int
    failed: int


@dataclass(frozen=True, slots=True)
class NetworkPage:
    """The network as this peer sees it.

    Attributes:
        counts: what all writers have told together.
        writers: those that count first.
        reach: None: no node runs, or it has no network.
        peers: that are connected now.
    """

    counts: Counts
    writers: tuple[Writer, ...]
    reach: Reach | None
    peers: tuple[Peer, ...]


async def network(site: Site, _: Request) -> Page:
    """Writers and peers, now."""
    counts, writers = await site.ask(lambda view: (view.counts(), view.writers()))
    report = await site.door.peers() if site.door is not None else None
    data = page_of(counts, writers, report, hide=site.settings.public)
    return Page(
        template="network.html",
        title="Network",
        data=data,
        description="Who writes the facts, how much of them is here, and who shares them.",
        path="/network",
        lasts=False,
        extra={"picture": picture_of(data), "kinds": CORES, "now": site.clock(), "ago": ago},
    )


def page_of(
    counts: Counts,
    writers: Sequence[WriterFacts],
    report: Mapping[str, Any] | None,
    *,
    hide: bool,
) -> NetworkPage:
    """What the view and the node tell, without what is nobody's business.

    Args:
        counts, writers: of the view.
        report: as `Door.peers` gives it; None without a network.
        hide: leave out where peers are.
    """
    lengths = (report or {}).get("lengths")
    found = [_writer(one, lengths) for one in writers]
    found.sort(key=lambda one: (one.role == OWNER, one.standing != "counts", -one.records, one.key))
    if report is None:
        return NetworkPage(counts, tuple(found), None, ())
    by_key = report.get("kinds", {})
    kinds = {one["topic"]: by_key.get(one["key"], "") for one in report["topics"]}
    peers = tuple(_peer(one, kinds, hide=hide) for one in report["peers"][:PEERS_MAX])
    return NetworkPage(counts, tuple(found), _reach(report), peers)


def picture_of(page: NetworkPage) -> str:
    """The same as a picture."""
    writers = [
        MeshNode(one.title or one.key.hex()[:KEY_DIGITS], _shares(one), on=one.standing == "counts")
        for one in page.writers
        if one.role != OWNER
    ]
    peers = [
        MeshNode(
            one.address or one.key,
            tuple(float(kind in one.kinds) for kind in CORES),
            one.received_per_s + one.sent_per_s,
        )
        for one in page.peers
    ]
    return mesh(
        "here",
        writers,
        peers,
        chart_id="network",
        title="This peer between writers and peers",
        description=(
            f"{len(writers)} writers on the left, each with bars that show how much of its feeds"
            f" ({', '.join(CORES)}) is here; {len(peers)} connected peers on the right, each with"
            " a dot for each kind of feed, filled where it is shared. The tables below say the"
            " same in numbers."
        ),
    )


def ago(ms: int) -> str:
    """``3 hours ago``, of some ms."""
    for unit, name in ((86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute")):
        if ms >= unit:
            return f"{counted(ms // unit, name)} ago"
    return "just now"


def blocks_of(position: str) -> int:
    """How many blocks a position covers: ``0:120,200:210`` has 130."""
    spans = [one.split(":") for one in position.split(",") if one]
    return sum(int(stop) - int(start) for start, stop in spans)


def _writer(facts: WriterFacts, lengths: Mapping[str, int] | None) -> Writer:
    order = [kind for kind in CORES if kind in facts.cores]
    cores = tuple(_core(kind, facts.cores[kind], lengths) for kind in order)
    missing = [one.length - one.read for one in cores if one.length is not None]
    beat = facts.heartbeat
    return Writer(
        key=facts.key,
        title=facts.card.title if facts.card else "",
        role=facts.role,
        standing=_standing(facts),
        heartbeat=beat.observed_at if beat else None,
        looked_at=beat.checked if beat else None,
        checked=facts.checked,
        wrong=facts.wrong,
        cores=cores,
        records=sum(one.records for one in cores),
        refused=sum(one.refused for one in cores),
        behind=sum(max(0, one) for one in missing) if missing else None,
    )


def _standing(facts: WriterFacts) -> str:
    if not facts.role:
        return "left out"
    if facts.aside:
        return "set aside"
    limited = any(core.until is not None for core in facts.cores.values())
    return "revoked" if limited else "counts"


def _core(kind: str, facts: CoreFacts, lengths: Mapping[str, int] | None) -> Core:
    """A feed of which only a part counts, or of which blocks come when asked for, has no lag."""
    length = lengths.get(facts.key.hex()) if lengths is not None else None
    read = blocks_of(facts.position)
    if length is not None and facts.until is not None:
        length = min(length, facts.until)
    if kind == "readme" and length is not None:
        length = read
    return Core(kind, read, length, facts.until, facts.records, sum(facts.refused.values()))


def _shares(writer: Writer) -> tuple[float, ...]:
    found = {
        one.kind: one.read / one.length if one.length else float(one.read > 0)
        for one in writer.cores
    }
    return tuple(found.get(kind, 0.0) for kind in CORES)


def _peer(told: Mapping[str, Any], kinds: Mapping[str, str], *, hide: bool) -> Peer:
    host, port = told["address"]
    shared = {kinds.get(topic, "") for topic in told["topics"]}
    return Peer(
        key=told["public_key"][:KEY_DIGITS],
        address="" if hide else f"{host}:{port}",
        dialled=told["initiator"],
        local=told["local"],
        kinds=tuple(kind for kind in CORES if kind in shared),
        connected_s=told["connected_s"],
        received=told["bytes_received"],
        sent=told["bytes_sent"],
        received_per_s=told["received_per_s"],
        sent_per_s=told["sent_per_s"],
    )


def _reach(report: Mapping[str, Any]) -> Reach:
    return Reach(
        key=report["public_key"][:KEY_DIGITS],
        dht=report["dht"]["nodes"] if report["dht"] else None,
        lan=report["lan"] is not None,
        received=report["bytes_received"],
        sent=report["bytes_sent"],
        failed=len(report["failures"]),
    )
