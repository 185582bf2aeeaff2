"""Writers and peers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pkgstats.records.model import CORES
from pkgstats.view.facts import CoreFacts, Counts, WriterFacts
from pkgstats.web.pages.network import ago, blocks_of, page_of, picture_of
from pkgstats.web.site import Settings

from .browsing import browsing, parsed
from .doors import StubDoor

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

COUNTS = Counts(*[1] * 12)

CORE = CoreFacts(b"\1" * 32, None, "0:120,200:210", 900, {"too large": 3, "no record": 2})

WRITER = WriterFacts(b"\2" * 32, "crawler", None, None, {"index": CORE}, 0, 0, aside=False)

ROOT = "aa" * 32

REPORT: dict[str, Any] = {
    "public_key": "bb" * 32,
    "addresses": [["192.0.2.1", 4000]],
    "topics": [{"topic": "cc" * 32, "key": ROOT}, {"topic": "dd" * 32, "key": "ee" * 32}],
    "peers": [
        {
            "public_key": "12345678" + "0" * 56,
            "address": ["192.0.2.7", 4001],
            "initiator": True,
            "local": False,
            "topics": ["cc" * 32],
            "connected_s": 130.0,
            "bytes_received": 5_000_000,
            "bytes_sent": 1000,
            "received_per_s": 2000.0,
            "sent_per_s": 10.0,
        }
    ],
    "dialling": 0,
    "failures": [{"address": ["192.0.2.9", 1]}],
    "dht": {"nodes": 12},
    "lan": None,
    "bytes_received": 6_000_000,
    "bytes_sent": 2000,
    "kinds": {ROOT: "index"},
    "lengths": {CORE.key.hex(): 150},
}


async def test_writers_are_shown_without_a_node(http: httpx.AsyncClient) -> None:
    page = parsed(await http.get("/network"))
    assert "the writer" in page.texts("h3")[0]
    assert "The group's list" in page.texts("h3")[1]
    assert "1 writer has told" in page.one(".lead").text
    assert page.one("svg.chart").texts("title") == ["This peer between writers and peers"]
    assert "No node runs" in page.one("#main").text
    told = (await http.get("/network.json")).json()
    assert [one["kind"] for one in told["writers"][0]["cores"]] == list(CORES)
    assert told["writers"][0]["behind"] is None
    assert told["reach"] is None


async def test_peers_are_shown_with_what_they_share(rich: Path) -> None:
    async with browsing(rich, door=StubDoor(report=REPORT)) as http:
        answer = await http.get("/network")
    page = parsed(answer)
    row = page.all("table")[-1].all("tr")[1]
    assert [*row.texts("th"), *row.texts("td")] == [
        *("12345678", "192.0.2.7:4001", "index", "5.0 MB", "1.0 kB", "2.0 kB/s", "2 min")
    ]
    assert "etag" not in answer.headers


@pytest.mark.parametrize("path", ["/network", "/network.json"])
async def test_others_do_not_learn_where_peers_are_nor_how_to_read(rich: Path, path: str) -> None:
    door = StubDoor(report=REPORT)
    async with browsing(rich, door=door, settings=Settings(public=True)) as http:
        text = (await http.get(path)).text
    assert "12345678" in text
    for secret in ("192.0.2", ROOT, CORE.key.hex()):
        assert secret not in text


def test_lag_is_what_exists_and_was_not_read() -> None:
    (writer,) = page_of(COUNTS, [WRITER], REPORT, hide=False).writers
    assert writer.behind == 20
    assert (writer.cores[0].read, writer.cores[0].length) == (130, 150)
    assert (writer.records, writer.refused) == (900, 5)
    limited = replace(WRITER, cores={"index": replace(CORE, until=130)})
    (revoked,) = page_of(COUNTS, [limited], REPORT, hide=False).writers
    assert (revoked.behind, revoked.standing) == (0, "revoked")
    readme = replace(WRITER, cores={"readme": CORE})
    (sparse,) = page_of(COUNTS, [readme], REPORT, hide=False).writers
    assert sparse.behind == 0
    (unknown,) = page_of(COUNTS, [WRITER], {**REPORT, "lengths": {}}, hide=False).writers
    assert unknown.behind is None


def test_writers_that_do_not_count_come_last() -> None:
    aside = replace(WRITER, key=b"\0" * 32, aside=True, checked=200, wrong=9)
    left = replace(WRITER, key=b"\1" * 32, role="")
    owner = replace(WRITER, key=b"\3" * 32, role="owner")
    page = page_of(COUNTS, [owner, left, aside, WRITER], None, hide=False)
    assert [one.standing for one in page.writers] == [
        *("counts", "set aside", "left out"),
        "counts",
    ]
    assert page.writers[-1].role == "owner"
    assert "03030303" not in picture_of(page)


def test_positions_are_counted() -> None:
    assert blocks_of("") == 0
    assert blocks_of("0:120,200:210") == 130


def test_ages_are_told_roughly() -> None:
    assert ago(59_000) == "just now"
    assert ago(60_000) == "1 minute ago"
    assert ago(2 * 3_600_000) == "2 hours ago"
    assert ago(50 * 3_600_000) == "2 days ago"
