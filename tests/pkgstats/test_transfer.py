from __future__ import annotations

import csv
import io
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.crawler.memory import Memory
from pkgstats.crawler.notes import FILE
from pkgstats.group import Group
from pkgstats.listing import Row
from pkgstats.node import Node
from pkgstats.transfer import (
    LINE_BYTES_MAX,
    Imported,
    TransferError,
    export_lines,
    format_of,
    import_rows,
    read_list,
    write_lines,
)
from pkgstats.view.facts import ListingRow
from pkgstats.view.reading import View

AT = 1_790_000_000_000
LIST = os.environ.get("PKGSTATS_NPM_LIST")

TSV = b"""name\tversion\tdownloads_a_month\tsummary
a\t1.0.0\t5\tfirst
@s/b\t2.0.0\t70\t  two\x0b words
a\t9.9.9\t1\tagain
.bad\t1.0.0\t5\t
c\t1.0.0\tmany\t
d\t1.0.0
"""

NDJSON = b"""{"name":"a","version":"1.0.0","downloads":5,"summary":"first"}
{"name":"b","version":"1.0.0","downloads_a_month":9}
[]
{"name":"c","version":"1.0.0","downloads":true}
{"name":{},"version":"1.0.0","downloads":1}
{"version":"1.0.0","downloads":-1e999}
"""


def test_tsv_is_read_and_what_is_bad_is_counted() -> None:
    found = read_list(io.BytesIO(TSV), "tsv")
    assert found.rows == [Row("@s/b", "2.0.0", 70, "two words"), Row("a", "1.0.0", 5, "first")]
    assert (found.repeated, found.bad) == (1, 3)
    assert found.reasons[0] == "line 5: no name of a package"


def test_columns_are_found_by_their_titles() -> None:
    text = b"\xef\xbb\xbfdownloads_a_month\tother\tversion\tname\r\n7\tx\t1.0.0\ta\r\n"
    assert read_list(io.BytesIO(text), "tsv").rows == [Row("a", "1.0.0", 7)]


def test_ndjson_is_read() -> None:
    found = read_list(io.BytesIO(NDJSON), "ndjson")
    assert found.rows == [Row("b", "1.0.0", 9), Row("a", "1.0.0", 5, "first")]
    assert found.bad == 4


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty"),
        (b"name\tversion\n", "downloads_a_month are missing"),
        (b"name\tversion\tdownloads_a_month\n" + b"x" * LINE_BYTES_MAX + b"x", "line 2: longer"),
        (b"name\tversion\tdownloads_a_month\n\xff\xfe\t\t\n", "no line is a package"),
    ],
)
def test_no_list_is_an_error_that_says_why(data: bytes, says: str) -> None:
    with pytest.raises(TransferError, match=says):
        read_list(io.BytesIO(data), "tsv")


@given(st.binary(max_size=300), st.sampled_from(["tsv", "ndjson"]))
def test_any_bytes_are_a_list_or_none(data: bytes, form: str) -> None:
    try:
        found = read_list(io.BytesIO(data), form)  # type: ignore[arg-type]
    except TransferError:
        return
    assert found.rows


def test_formats_by_name() -> None:
    assert format_of(Path("x.JSONL")) == "ndjson"
    with pytest.raises(TransferError, match="--format"):
        format_of(Path("list.txt"))
    with pytest.raises(TransferError, match="export only"):
        read_list(io.BytesIO(TSV), "csv")


ROWS = [
    ListingRow("@s/b", "2.0.0", 70, 'say "hi", all', AT, "here"),
    ListingRow("a", "1.0.0", 5, "tab\there\nline", AT, "hidden"),
]


def test_what_is_exported_can_be_imported() -> None:
    for form in ("tsv", "ndjson"):
        text = "".join(export_lines(ROWS, form)).encode()
        rows = read_list(io.BytesIO(text), form).rows
        assert [row[:3] for row in rows] == [row[:3] for row in ROWS]
    cells = list(csv.reader(io.StringIO("".join(export_lines(ROWS, "csv")))))
    assert cells[0] == ["name", "version", "downloads_a_month", "summary"]
    assert cells[1][3] == 'say "hi", all'


def test_a_file_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "list.tsv"
    assert write_lines(file, export_lines(ROWS, "tsv")) == 3
    before = file.read_bytes()
    with pytest.raises(ZeroDivisionError):
        write_lines(file, (str(1 // number) for number in (1, 0)))
    assert file.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["list.tsv"]


async def imported(folder: Path, rows: list[Row], seen: list[int] | None = None) -> Imported:
    group = Group.find(folder) or Group.create(folder)
    async with Node(folder, group) as node:
        writer = await node.write("me")
        async with Memory(folder / FILE, writer) as memory:
            return await import_rows(
                writer,
                memory,
                rows,
                observed_at=AT,
                on_progress=lambda done, _: seen.append(done) if seen is not None else None,
            )


async def test_a_list_that_comes_again_costs_what_has_changed(tmp_path: Path) -> None:
    rows = [Row(f"p{number}", "1.0.0", 100_000 - number, "text " * 20) for number in range(20_000)]
    seen: list[int] = []
    first = await imported(tmp_path, rows, seen)
    assert (first.rows, first.new) == (20_000, 20_000)
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0, 20_000)
    assert len(seen) > 3
    assert (await imported(tmp_path, rows)).blocks == 0
    rows[17] = rows[17]._replace(version="2.0.0")
    again = await imported(tmp_path, [*rows, Row("new", "1.0.0", 1)])
    assert (again.new, again.blocks) == (2, 1)
    with View.open(tmp_path / "view.db") as view:
        assert view.counts().refused == 0


async def test_an_import_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    rows = [Row(f"p{number}", "1.0.0", 100_000 - number, "text " * 20) for number in range(20_000)]
    group = Group.create(tmp_path)
    async with Node(tmp_path, group) as node:
        writer = await node.write("me")

        def interrupt(done: int, _: int) -> None:
            if done:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            async with Memory(tmp_path / FILE, writer) as memory:
                await import_rows(writer, memory, rows, observed_at=AT, on_progress=interrupt)
    rest = await imported(tmp_path, rows)
    assert 0 < rest.new < 20_000


@pytest.mark.skipif(LIST is None, reason="PKGSTATS_NPM_LIST names no list of packages")
async def test_all_of_npm_is_ten_megabytes_to_who_only_searches(tmp_path: Path) -> None:
    listed = read_list(io.BytesIO(Path(LIST or "").read_bytes()), "tsv")  # noqa: ASYNC240
    began = time.perf_counter()
    done = await imported(tmp_path, listed.rows)
    seconds = time.perf_counter() - began
    print(f"{done.rows} rows, {done.blocks} blocks, {done.bytes} bytes, {seconds:.1f} s")
    assert listed.bad == listed.repeated == 0
    assert done.bytes <= 10_000_000
