from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkgstats.search import index as index_module
from pkgstats.search.documents import document
from pkgstats.search.index import build, connect, read_identity, read_note, update
from pkgstats.search.parse import parse
from pkgstats.search.searcher import Searcher

from .corpus import DETAILS, NOW, MadeUpFacts, details, made_up, row_of

if TYPE_CHECKING:
    from pathlib import Path


def ask(path: Path, text: str, *arguments: Any) -> list[Any]:
    with closing(connect(path)) as database:
        return database.execute(text, arguments).fetchall()


def found(path: Path, text: str) -> list[str]:
    with closing(Searcher(connect(path))) as searcher:
        return [hit.name for hit in searcher.search(parse(text), 100, 1, NOW).hits]


def test_rows_are_numbered_by_their_rank(index: Path) -> None:
    rows = ask(index, "select id, name, downloads from search_doc order by id")
    assert [number for number, _, _ in rows] == list(range(1, len(rows) + 1))
    assert rows[0][1] == "chalk"
    assert [row[2] for row in rows] == sorted((row[2] for row in rows), reverse=True)


def test_what_it_says_of_itself(index: Path) -> None:
    rows = len(made_up().rows)
    with closing(connect(index)) as database:
        assert read_identity(database) == "made up"
        assert [
            read_note(database, key) for key in ("generation", "total", "ranks", "updates")
        ] == [1, rows, rows, 0]


def test_bm25_is_not_a_constant(index: Path) -> None:
    """A contentless FTS5 table without sizes or places silently makes it one."""
    find = "select bm25(search_text) from search_text where search_text match '\"csv\"'"
    assert len({score for (score,) in ask(index, find)}) > 1


def test_words_are_counted(index: Path) -> None:
    counts = dict(ask(index, "select * from search_df"))
    assert counts["lodash"] == 4
    assert counts["csv"] == 4
    assert not [word for word in counts if not word.isalnum()], "tags are no words"


def test_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "BATCH_ROWS", 20)
    told: list[int] = []
    build(tmp_path / "x.db", made_up(), told.append)
    assert told == [20, 40, len(made_up().rows)]


def test_an_index_of_nothing(tmp_path: Path) -> None:
    build(tmp_path / "x.db", MadeUpFacts())
    assert found(tmp_path / "x.db", "react") == found(tmp_path / "x.db", "sort:name") == []


def test_no_other_file_is_taken_for_an_index(tmp_path: Path, index: Path) -> None:
    other = tmp_path / "other.db"
    with pytest.raises(sqlite3.Error):
        connect(other)
    other.write_bytes(b"no database at all" * 100)
    with pytest.raises(sqlite3.Error):
        connect(other)
    other.write_bytes(index.read_bytes())
    with closing(sqlite3.connect(other)) as database, database:
        database.execute("update search_meta set value = 99 where key = 'schema'")
    with pytest.raises(sqlite3.Error, match="another schema"):
        connect(other)


def test_readers_cannot_write(index: Path) -> None:
    with closing(connect(index)) as database, pytest.raises(sqlite3.OperationalError):
        database.execute("delete from search_doc")


@pytest.fixture
def path(tmp_path: Path, facts: MadeUpFacts) -> Path:
    build(tmp_path / "x.db", facts)
    return tmp_path / "x.db"


def test_a_package_changes_in_place(path: Path, facts: MadeUpFacts) -> None:
    facts.say(row_of("walker 2.0.0 8000000 Strolls along directories"))
    facts.tell("walker", details(("stroller",), dependencies=("fs-promenade",)))
    rank = ask(path, "select id from search_doc where name = 'walker'")
    update(path, facts, ["walker"])
    assert ask(path, "select id from search_doc where name = 'walker'") == rank
    assert found(path, "dep:fs-promenade") == ["walker"]
    assert "walker" in found(path, "promenading strolls")
    assert "walker" not in found(path, '"folder of files"')


def test_a_new_package_comes_after_all_ranks(path: Path, facts: MadeUpFacts) -> None:
    facts.say(row_of("brandnew 1.0.0 999000000 Glows in the dark"))
    update(path, facts, ["brandnew"])
    total = len(facts.rows)
    assert ask(path, "select id from search_doc where name = 'brandnew'") == [(total,)]
    assert found(path, "brandnew") == found(path, "glowing dark") == ["brandnew"]
    assert found(path, "brnadnew")[0] == "brandnew"
    assert found(path, "downloads:>5e8") == ["brandnew"]


def test_a_package_goes(path: Path, facts: MadeUpFacts) -> None:
    facts.drop("walker")
    update(path, facts, ["walker"])
    assert "walker" not in found(path, "walker")
    assert "walker" not in found(path, '"folder of files"')
    facts.say(row_of("other 1.0.0 5"))
    update(path, facts, ["other"])
    numbers = [number for (number,) in ask(path, "select id from search_doc")]
    assert len(numbers) == len(set(numbers)) == len(facts.rows)


def test_an_update_that_fails_changes_nothing(
    path: Path, facts: MadeUpFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts.say(row_of("walker 2.0.0 8000000 Strolls"), row_of("zzz 2.0.0 700 Snores"))
    before = ask(path, "select * from search_doc order by id")

    def breaks(number: int, row: Any, manifest: Any = None) -> Any:
        if row.name == "zzz":
            raise RuntimeError("no")
        return document(number, row, manifest)

    monkeypatch.setattr("pkgstats.search.index.document", breaks)
    with pytest.raises(RuntimeError):
        update(path, facts, ["walker", "zzz"])
    assert ask(path, "select * from search_doc order by id") == before
    assert found(path, "strolls") == []


NAMES = ["aa", "@s/aa", "bb-cc", "ccdd", "dd.ee"]
SUMMARIES = ["", "reads words", "writes words quickly", "draws pictures"]


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[str, str | None]]:
    return draw(
        st.lists(
            st.tuples(st.sampled_from(NAMES), st.none() | st.sampled_from(SUMMARIES)), max_size=12
        )
    )


@settings(deadline=None, max_examples=25)
@given(changes())
def test_updates_leave_what_a_new_index_has(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, str | None]]
) -> None:
    """Rows, words and counts; ranks aside."""
    folder = tmp_path_factory.mktemp("updates")
    facts = MadeUpFacts([row_of("aa 1.0.0 500 reads words"), row_of("ccdd 1.0.0 100")], DETAILS)
    build(folder / "old.db", facts)
    for name, summary in changes:
        if summary is not None:
            facts.say(row_of(f"{name} 1.0.0 300 {summary}"))
        elif name in facts.rows:
            facts.drop(name)
        update(folder / "old.db", facts, [name])
    build(folder / "new.db", facts)
    same = [
        "select name, downloads, names, stems, words, tags, summary from search_doc order by name",
        "select * from search_df where packages > 0 order by stem",
    ]
    for text in same:
        assert ask(folder / "old.db", text) == ask(folder / "new.db", text)
    for word in ("words", "quick", "aa", "picture", "cc"):
        assert sorted(found(folder / "old.db", word)) == sorted(found(folder / "new.db", word))
