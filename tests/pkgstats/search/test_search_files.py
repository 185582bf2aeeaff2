from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pkgstats.search import files as files_module
from pkgstats.search.files import IndexFiles
from pkgstats.search.index import connect, read_note

from .corpus import MadeUpFacts, row_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def files(tmp_path: Path) -> IndexFiles:
    return IndexFiles(tmp_path / "search")


def databases(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if file.suffix == ".db")


def test_the_first_index(files: IndexFiles, facts: MadeUpFacts, tmp_path: Path) -> None:
    assert files.number == 0
    told: list[int] = []
    done = files.refresh(facts, told.append)
    assert done == ("rebuilt", len(facts.rows), 1)
    assert told == [len(facts.rows)]
    assert databases(tmp_path / "search") == ["search-1.db"]
    assert files.refresh(facts) == ("unchanged", 0, 1)


def test_few_changes_are_made_in_place(files: IndexFiles, facts: MadeUpFacts) -> None:
    files.refresh(facts)
    facts.say(row_of("fresh 1.0.0 10 New"), row_of("zzz 1.0.1 600"))
    assert files.refresh(facts) == ("updated", 2, 2)
    assert files.number == 1


def test_many_changes_make_a_new_file(
    files: IndexFiles, facts: MadeUpFacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "IN_PLACE_MAX", 3)
    files.refresh(facts)
    for number in range(3):
        facts.say(row_of(f"fresh{number} 1.0.0 10"))
        assert files.refresh(facts).kind == "updated"
    facts.say(row_of("fresh3 1.0.0 10"))
    assert files.refresh(facts).kind == "rebuilt"
    assert databases(tmp_path / "search") == ["search-2.db"]


def test_so_do_more_than_the_facts_can_name(files: IndexFiles, facts: MadeUpFacts) -> None:
    files.refresh(facts)
    facts.most = 1
    facts.say(row_of("a 1.0.0 1"), row_of("b 1.0.0 1"))
    assert files.refresh(facts).kind == "rebuilt"


def test_so_do_other_facts(files: IndexFiles, facts: MadeUpFacts) -> None:
    files.refresh(facts)
    facts.identity = "made anew"
    assert files.refresh(facts).kind == "rebuilt"


def test_a_damaged_index_is_made_anew(files: IndexFiles, facts: MadeUpFacts) -> None:
    files.refresh(facts)
    files.path(1).write_bytes(b"damage")
    assert files.refresh(facts).kind == "rebuilt"
    assert files.refresh(facts).kind == "unchanged"


def test_what_was_left_unfinished_does_not_count(
    files: IndexFiles, facts: MadeUpFacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.refresh(facts)

    def breaks(names: object = None) -> object:
        raise RuntimeError("crash")

    monkeypatch.setattr(facts, "listing_rows", breaks)
    with pytest.raises(RuntimeError):
        files.rebuild(facts)
    monkeypatch.undo()
    assert IndexFiles(tmp_path / "search").number == files.number == 1
    assert files.rebuild(facts).kind == "rebuilt"
    assert databases(tmp_path / "search") == ["search-2.db"]


def test_another_process_goes_on_with_the_last_file(
    files: IndexFiles, facts: MadeUpFacts, tmp_path: Path
) -> None:
    files.refresh(facts)
    files.rebuild(facts)
    again = IndexFiles(tmp_path / "search")
    assert again.number == 2
    assert again.refresh(facts).kind == "unchanged"


def test_a_process_notices_what_another_one_made_anew(
    files: IndexFiles, facts: MadeUpFacts, tmp_path: Path
) -> None:
    files.refresh(facts)
    other = IndexFiles(tmp_path / "search")
    other.rebuild(facts)
    assert files.number == other.number == 2
    other.path(2).unlink()
    assert files.number == 0
    assert files.refresh(facts).kind == "rebuilt"


def test_it_does_so_while_the_old_file_cannot_be_removed(
    files: IndexFiles, facts: MadeUpFacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where who has the old one open keeps it."""
    files.refresh(facts)
    other = IndexFiles(tmp_path / "search")
    with monkeypatch.context() as patch:
        patch.setattr(other, "_remove_old", lambda: None)
        other.rebuild(facts)
        assert files.number == 2
        other.rebuild(facts)
        files.path(2).unlink()
    assert databases(tmp_path / "search") == ["search-1.db", "search-3.db"]
    assert files.number == 3
    other.rebuild(facts)
    assert databases(tmp_path / "search") == ["search-4.db"]


def test_who_reads_an_old_file_goes_on(files: IndexFiles, facts: MadeUpFacts) -> None:
    files.refresh(facts)
    with closing(connect(files.path(1))) as old:
        facts.say(row_of("fresh 1.0.0 10"))
        files.rebuild(facts)
        assert read_note(old, "generation") == 1
        assert old.execute("select count(*) from search_doc").fetchone() == (len(facts.rows) - 1,)
    with closing(connect(files.path(2))) as new:
        assert read_note(new, "generation") == 2


def test_the_first_one_that_another_process_makes_is_noticed(
    files: IndexFiles, facts: MadeUpFacts, tmp_path: Path
) -> None:
    assert files.number == 0
    IndexFiles(tmp_path / "search").refresh(facts)
    assert files.number == 1
