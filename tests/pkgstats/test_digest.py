from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from pkgstats.digest import Digest, as_feed, as_text, gather
from pkgstats.group import Group
from pkgstats.listing import Row, index_records
from pkgstats.node import Node
from pkgstats.records import counts
from pkgstats.records.model import DayCounts, Snapshot
from pkgstats.records.names import WHOLE
from pkgstats.syndication import as_atom, as_json_feed
from pkgstats.view.reading import View

if TYPE_CHECKING:
    from pathlib import Path

DAY = 20_700
NOW = DAY * 86_400_000 + 5
HOSTILE = "<script>&\x1b[31m]]> \u202e evil"


@pytest.fixture
async def digest(tmp_path: Path) -> Digest:
    rows = [Row(f"p{number}", "1.0.0", 1000 - number, HOSTILE) for number in range(40)]
    async with Node(tmp_path, Group.create(tmp_path), clock=lambda: NOW) as node:
        writer = await node.write("me")
        clean = [row._replace(summary=row.summary.replace("\x1b", "")) for row in rows]
        await writer.append(index_records(clean, observed_at=NOW, source="list"))
        await writer.append(
            Snapshot(name=f"p{number}", version="1.0.0", created=number * 1000, observed_at=NOW)
            for number in (3, 5, 4)
        )
        await writer.append(
            DayCounts(
                name=f"p{number}",
                first_day=DAY - 14,
                span=14,
                counts=counts.pack([[300] * 7 + [300 + number] * 7]),
                observed_at=NOW,
            )
            for number in range(10)
        )
        await node.catch_up()
        with View.open(node.view_path) as view:
            assert gather(view, NOW, size=5) == gather(view, NOW, size=5)
            assert (
                gather(view, NOW, size=5).parts["random"]
                != gather(view, NOW + 86_400_000, size=5).parts["random"]
            )
            return gather(view, NOW, size=5)


def names(digest: Digest, part: str) -> list[str]:
    return [one.name for one in digest.parts[part]]


def test_each_part_has_its_packages(digest: Digest) -> None:
    assert names(digest, "popular") == ["p0", "p1", "p2", "p3", "p4"]
    assert names(digest, "newest") == ["p5", "p4", "p3"]
    assert names(digest, "risers") == ["p9", "p8", "p7", "p6", "p5"]
    assert digest.parts["risers"][0].why == "+3% in a week"
    assert len(set(names(digest, "random"))) == 5


async def test_a_day_that_the_whole_registry_missed_counts_for_nobody(tmp_path: Path) -> None:
    rows = [Row(f"p{number}", "1.0.0", 100 - number) for number in range(3)]
    told = {f"p{number}": [300] * 11 + [0] + [300] * 2 for number in range(3)}
    told["p1"] = [300] * 7 + [330] * 4 + [0] + [330] * 2
    async with Node(tmp_path, Group.create(tmp_path), clock=lambda: NOW) as node:
        writer = await node.write("me")
        await writer.append(index_records(rows, observed_at=NOW, source="list"))
        found = []
        for more in ({}, {WHOLE: [9000] * 11 + [0] + [9000] * 2}):
            await writer.append(
                DayCounts(
                    name=name,
                    first_day=DAY - 14,
                    span=14,
                    counts=counts.pack([each]),
                    observed_at=NOW,
                )
                for name, each in (more or told).items()
            )
            await node.catch_up()
            with View.open(node.view_path) as view:
                found.append([(one.name, one.why) for one in gather(view, NOW).parts["risers"]])
    assert found == [[], [("p1", "+10% in a week")]], "three packages alone prove no outage"


async def test_what_has_grown_by_next_to_nothing_does_not_rise(tmp_path: Path) -> None:
    """Rounded it would read "+0%"; a hundredth is the least that is called a rise."""
    grown = {"still": 10_000, "hardly": 10_004, "nearly": 10_099, "rising": 10_100}
    async with Node(tmp_path, Group.create(tmp_path), clock=lambda: NOW) as node:
        writer = await node.write("me")
        rows = [Row(name, "1.0.0", 40_000) for name in grown]
        await writer.append(index_records(rows, observed_at=NOW, source="list"))
        await writer.append(
            DayCounts(
                name=name,
                first_day=DAY - 14,
                span=14,
                counts=counts.pack([[10_000] * 7 + [last] * 7]),
                observed_at=NOW,
            )
            for name, last in grown.items()
        )
        await node.catch_up()
        with View.open(node.view_path) as view:
            found = [(one.name, one.why) for one in gather(view, NOW).parts["risers"]]
    assert found == [("rising", "+1% in a week")]


def test_text_is_for_terminals(digest: Digest) -> None:
    text = as_text(digest)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "Risers of the week" in text
    assert as_text(Digest(DAY, {"newest": ()})).endswith("(nothing is known)\n")


def test_atom_is_well_formed_and_complete(digest: Digest) -> None:
    space = "{http://www.w3.org/2005/Atom}"
    feed = ET.fromstring(as_atom(as_feed(digest)))  # noqa: S314 - our own
    entries = feed.findall(f"{space}entry")
    assert len(entries) == sum(map(len, digest.parts.values()))
    ids = [entry.findtext(f"{space}id") for entry in entries]
    assert len(set(ids)) == len(ids)
    assert ids[0] == "urn:pkgstats:popular:2026-09-04:p0", "readers know what they have shown"
    for part in (feed, *entries):
        for tag in ("id", "title", "updated"):
            assert part.findtext(f"{space}{tag}")
    assert "<script>" in (entries[0].findtext(f"{space}content") or "")


def test_json_feed_is_what_its_version_says(digest: Digest) -> None:
    feed = json.loads(as_json_feed(as_feed(digest)))
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert all(item["id"] and item["content_text"] for item in feed["items"])
    assert feed["items"][0]["date_published"].endswith("T00:00:00Z")
