"""A small registry's worth of facts, with some of everything that a page can show."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.pkgstats.nodes import node

from pkgstats.group import Group
from pkgstats.listing import Row, index_records
from pkgstats.records import counts
from pkgstats.records.model import DayCounts, Snapshot, Tombstone, VersionEvent, WeekCounts

if TYPE_CHECKING:
    from pathlib import Path

    from pkgstats.records.model import Known

DAY_MS = 86_400_000

TODAY = 20_717
"""2026-09-21."""

NOW = TODAY * DAY_MS + 50_000_000
"""The time by the clock of the pages, ms."""

SEEN = TODAY * DAY_MS + 10_000_000
"""When the facts were seen."""

DAYS = 84
"""Days of downloads, up to yesterday."""

TOOLS = 70
"""Packages ``tool-00``, ``tool-01``, …, so that lists and results have more than one page."""

LISTED = [
    Row("react", "19.1.0", 300_000_000, "Builds user interfaces"),
    Row("vue", "3.5.0", 40_000_000, "Builds user interfaces, bit by bit"),
    Row("left-pad", "1.3.0", 5_000_000, "Fills a text up to a width"),
    Row("csv-parse", "5.6.0", 4_000_000, "Reads CSV, whole or as it comes"),
    Row("papaparse", "5.5.0", 3_000_000, "Reads CSV in the browser"),
    Row("fast-csv", "5.0.2", 2_000_000, "Reads and writes CSV"),
    Row("pad-left", "2.1.0", 900_000, "The same the other way round"),
    Row("@types/left-pad", "1.0.0", 70_000, "Types of left-pad"),
    Row("@types/react", "19.1.0", 60_000, "Types of react"),
    Row("@ada/engine", "0.3.0", 5_000, "An engine for analysis"),
    Row("@ada/notes", "0.1.0", 400, ""),
    Row("package.json", "2.0.1", 300, "Reads the file of its name"),
    Row("evil", "1.0.0", 7, "<script>alert(1)</script> [bold]not bold[/bold]"),
    Row("gone", "1.0.0", 6, "One writer says that it is gone"),
]


def facts() -> list[list[Known]]:
    """By kind of core: ``index``, ``detail``, ``days``."""
    tools = [
        Row(f"tool-{n:02}", f"1.0.{n}", 100_000 - n * 1000, f"Tool number {n}")
        for n in range(TOOLS)
    ]
    listed = sorted(LISTED + tools, key=lambda row: -row.downloads)
    return [
        [*index_records(listed, observed_at=SEEN, source="list")],
        [*_snapshots(), *_versions(), Tombstone(observed_at=SEEN, name="gone", reason="takedown")],
        [*_days(), *_weeks()],
    ]


def _snapshots() -> list[Known]:
    return [
        Snapshot(
            observed_at=SEEN,
            source="registry",
            name="react",
            version="19.1.0",
            modified=SEEN - 20 * DAY_MS,
            created=SEEN - 5000 * DAY_MS,
            description="Builds user interfaces",
            keywords=("ui", "components"),
            licence="MIT",
            repository="https://example.org/react",
            homepage="https://example.org",
            maintainers=("ada", "grace"),
            types="@types",
            module="cjs",
            engines={"node": ">=0.10.0"},
            dist_tags={"latest": "19.1.0", "next": "20.0.0-rc.1"},
            unpacked=320_000,
            files=30,
            provenance="https://slsa.dev/provenance/v1",
        ),
        Snapshot(
            observed_at=SEEN,
            source="registry",
            name="left-pad",
            version="1.3.0",
            modified=SEEN - 2000 * DAY_MS,
            created=SEEN - 4000 * DAY_MS,
            description="Fills a text up to a width",
            keywords=("pad", "text width"),
            licence="WTFPL",
            repository="https://example.org/left-pad",
            homepage="javascript:alert(1)",
            maintainers=("ada",),
            deprecated="use String.prototype.padStart()",
        ),
        Snapshot(
            observed_at=SEEN,
            name="@types/left-pad",
            version="1.0.0",
            modified=SEEN - 300 * DAY_MS,
            created=SEEN - 3000 * DAY_MS,
            maintainers=("types",),
            dependencies={"left-pad": "^1"},
            types="own",
        ),
        Snapshot(
            observed_at=SEEN,
            name="@types/react",
            version="19.1.0",
            modified=SEEN - 5 * DAY_MS,
            created=SEEN - 3100 * DAY_MS,
            maintainers=("types",),
            types="own",
        ),
        Snapshot(
            observed_at=SEEN,
            name="@ada/engine",
            version="0.3.0",
            modified=SEEN - 2 * DAY_MS,
            created=SEEN - 10 * DAY_MS,
            description="An engine for analysis",
            licence="Apache-2.0",
            maintainers=("ada",),
            dependencies={"left-pad": "^1", "react": "^19"},
            peer_dependencies={"vue": "^3"},
            types="own",
            module="esm",
            binaries=("engine",),
            install_script=True,
        ),
        Snapshot(
            observed_at=SEEN,
            name="csv-parse",
            version="5.6.0",
            modified=SEEN - 40 * DAY_MS,
            created=SEEN - 4100 * DAY_MS,
            keywords=("csv", "parser", "stream"),
            licence="MIT",
            maintainers=("grace",),
            types="own",
            module="dual",
        ),
    ]


def _versions() -> list[Known]:
    majors = [("18.3.1", 500), ("19.0.0", 200), ("19.1.0", 20), ("20.0.0-rc.1", 21)]
    react = [
        VersionEvent(
            observed_at=SEEN,
            name="react",
            version=version,
            published=SEEN - ago * DAY_MS,
            unpacked=300_000 + ago,
            publisher="grace",
        )
        for version, ago in majors
    ]
    pads = [
        VersionEvent(
            observed_at=SEEN,
            name="left-pad",
            version=f"1.{n}.0",
            published=SEEN - (2003 - n) * DAY_MS,
            deprecated="use String.prototype.padStart()",
        )
        for n in range(4)
    ]
    return [*react, *pads]


def _days() -> list[Known]:
    """Rising ones, falling ones, and one day on which nothing was counted at all."""
    told = {"react": 9_000_000, "vue": 1_300_000, "left-pad": 160_000, "csv-parse": 130_000}
    told |= {f"tool-{n:02}": 3000 - 30 * n for n in range(30)}
    lost = DAYS - 10
    found: list[Known] = []
    for number, (name, usual) in enumerate(told.items()):
        slope = (number % 7) - 3
        row = [0 if day == lost else usual + usual * slope * day // 500 for day in range(DAYS)]
        record = DayCounts(
            observed_at=SEEN,
            source="downloads",
            name=name,
            first_day=TODAY - DAYS,
            span=DAYS,
            counts=counts.pack([row]),
        )
        found.append(record)
    return found


def _weeks() -> list[Known]:
    return [
        WeekCounts(
            observed_at=SEEN,
            name="react",
            last_day=TODAY - 1 - 7 * ago,
            versions={"18.3.1": 20_000_000 + ago * 10**6, "19.0.0": 30_000_000 - ago * 10**6},
        )
        for ago in range(8)
    ]


def make_rich(folder: Path) -> None:
    """A node's folder with the facts, indexed; nobody has it open."""

    async def make() -> None:
        async with node(folder, Group.create(folder), alone=True) as one:
            writer = await one.write("the writer")
            for records in facts():
                await writer.append(records)
            await one.index()

    asyncio.run(make())
