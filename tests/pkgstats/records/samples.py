"""One full record of each kind, and strategies for any."""

from __future__ import annotations

from pkgstats.records import counts
from pkgstats.records.model import (
    Check,
    DayCounts,
    GroupList,
    Heartbeat,
    IndexRows,
    Known,
    Member,
    NamesBlock,
    ReadmePart,
    Retraction,
    Snapshot,
    Tombstone,
    VersionEvent,
    WeekCounts,
    WriterCard,
)

KEY_A = bytes(range(32))
KEY_B = b"\xff" * 32
AT = 1_790_000_000_000

SAMPLES: list[Known] = [
    Snapshot(
        observed_at=AT,
        source="registry",
        evidence={"etag": "abc"},
        name="@scope/left-pad",
        version="1.3.0",
        modified=AT - 1,
        description="Fills a text up to a width — on the left",
        keywords=("pad", "left"),
        licence="ISC",
        repository="https://example.org/repository",
        homepage="https://example.org",
        maintainers=("ada", "grace"),
        dependencies={"b": "^1", "a": "*"},
        peer_dependencies={"c": ">=2"},
        engines={"node": ">=18"},
        types="own",
        module="dual",
        binaries=("left-pad",),
        install_script=True,
        unpacked=12_345,
        files=7,
        integrity="sha512-x",
        provenance="https://slsa.dev/provenance/v1",
        deprecated="use padStart",
        dist_tags={"latest": "1.3.0", "next": "2.0.0-0"},
        readme_hash=KEY_A,
        created=1,
    ),
    Snapshot(observed_at=AT, name="a", version="0.0.1"),
    VersionEvent(
        observed_at=AT, name="a", version="1.0.0", published=5, integrity="x", publisher="ada"
    ),
    DayCounts(observed_at=AT, first_day=20_000, span=2, name="a", counts=counts.pack([[3, 0]])),
    DayCounts(observed_at=AT, first_day=20_000, span=1, names_ref=KEY_A, counts=b"\x00"),
    WeekCounts(observed_at=AT, name="a", last_day=20_000, versions={"1.0.0": 7, "0.9.0": 0}),
    Tombstone(observed_at=AT, name="a", version="1.0.0", reason="mistake"),
    Tombstone(observed_at=AT, name="a", reason="unpublished"),
    Check(observed_at=AT, core=KEY_A, upto=5, root=KEY_B, blocks=(1, 2)),
    Retraction(observed_at=AT, core=KEY_A, block=3, place=0, why="a slip"),
    IndexRows(
        observed_at=AT,
        names=("a", "b"),
        versions=("1.0.0", ""),
        downloads=(7, 0),
        summaries=("the first", ""),
    ),
    NamesBlock(observed_at=AT, names=("a", "b")),
    ReadmePart(observed_at=AT, digest=KEY_A, part=1, parts=2, text=b"# a"),
    WriterCard(observed_at=AT, title="a crawler", cores={"index": KEY_A, "days": KEY_B}),
    Heartbeat(observed_at=AT, sequence="12-x", checked=3, refusals={"downloads": 1}, rate=250),
    GroupList(
        observed_at=AT,
        edition=4,
        members=(
            Member(key=KEY_A),
            Member(key=KEY_B, role="watcher", until={"index": 3, "detail": 0}),
        ),
        rate=250,
    ),
]
