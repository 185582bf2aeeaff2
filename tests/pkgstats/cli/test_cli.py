"""The verbs that read, and those about groups, as a person or a program runs them."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner, Result
from tests.pkgstats.nodes import fill, node, rows

from hypermultifeed import StorageLockedError
from pkgstats.cli import main
from pkgstats.cli.main import COMMANDS
from pkgstats.cli.output import clean, sparkline
from pkgstats.cli.packages import weeks_of
from pkgstats.cli.running import describe, exit_code_of
from pkgstats.cli.search import show_results
from pkgstats.group import Group
from pkgstats.search.query import Query
from pkgstats.search.results import SearchResult
from pkgstats.view.facts import DayFacts
from pkgstats.web.door import Door

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "ab" * 32


def invoke(folder: Path, *arguments: str, code: int = 0) -> Result:
    words = list(arguments)
    options = ["--data", str(folder)]
    at = 2 if words[0] == "group" else 1
    result = CliRunner().invoke(main, [*words[:at], *options, *words[at:]])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def answer(folder: Path, *arguments: str, code: int = 0) -> Any:
    return json.loads(invoke(folder, *arguments, "--json", code=code).stdout)


# --- reading


def test_search_shows_the_exact_name_first(filled: Path) -> None:
    shown = invoke(filled, "search", "left-pad").stdout
    assert shown.index("left-pad") < shown.index("@types/left-pad")
    assert "5,000,000" in shown
    assert "Fills a text" in shown


def test_search_as_json_is_what_the_api_answers(filled: Path) -> None:
    told = answer(filled, "search", "left-pad", "--explain")
    assert told["exact"] == told["results"][0]["name"] == "left-pad"
    assert told["results"][0]["explain"]


@pytest.mark.parametrize(
    ("total", "more", "said"),
    [
        (114, False, "114 found"),
        (114, True, "at least 114 found"),
        (0, True, "0 found"),
    ],
)
def test_search_says_whether_all_were_counted(
    total: int, more: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_results(SearchResult(Query("x"), None, (), total, more, None, (), (), 1))
    assert capsys.readouterr().out.strip() == said


def test_search_explains_itself(filled: Path) -> None:
    shown = invoke(filled, "search", "--explain", "left-pad").stdout
    assert "  +6.00  its name is what was typed" in shown


def test_words_with_a_minus_are_words(filled: Path) -> None:
    told = answer(filled, "search", "pad", "-types")
    assert "-types" in told["query"]
    assert "No such option" in invoke(filled, "search", "pad", "--sise", "3", code=2).output


def test_a_wrong_query_points_at_its_place(filled: Path) -> None:
    shown = invoke(filled, "search", "pad sort:nme", code=1).stderr
    error, query, place = shown.splitlines()[:3]
    assert error.startswith("Error: ")
    assert query[place.index("^") : place.rindex("^") + 1] == "nme"
    told = answer(filled, "search", "pad sort:nme", code=1)
    assert (told["offset"], told["length"]) == (9, 3)


def test_nothing_found_is_exit_code_1(filled: Path) -> None:
    assert "0 found" in invoke(filled, "search", "zzzzqqqq", code=1).stdout


def test_show_has_all_that_is_known_of_a_package(filled: Path) -> None:
    shown = invoke(filled, "show", "left-pad").stdout
    for part in ("left-pad 1.3.0", "5,000,000", "WTFPL", "ada", "padStart", "the writer", "█"):
        assert part in shown
    told = answer(filled, "show", "left-pad")
    assert told["package"]["snapshot"]["maintainers"] == ["ada"]
    assert len(told["days"]) == 28


def test_a_package_that_nobody_knows_gets_others_that_may_be_meant(filled: Path) -> None:
    shown = invoke(filled, "show", "left-pat", code=1).stderr
    assert "nobody has told of this package" in shown
    assert "did you mean: left-pad" in shown
    told = answer(filled, "show", "left-pat", code=1)
    assert told["error"] == "not known"
    assert "left-pad" in told["did_you_mean"]


def test_what_others_wrote_does_not_reach_the_terminal_as_markup_or_commands(filled: Path) -> None:
    assert "[bold]not bold[/bold]" in invoke(filled, "show", "evil").stdout
    assert "[bold]not bold[/bold]" in invoke(filled, "search", "evil").stdout
    shown = invoke(filled, "show", "\x1b[2Jx", code=1)
    assert "\x1b" not in shown.output


def test_compare_puts_packages_side_by_side(filled: Path) -> None:
    shown = invoke(filled, "compare", "react", "left-pad").stdout
    assert "300,000,000" in shown
    assert "WTFPL" in shown
    both = answer(filled, "compare", "react", "left-pad")
    assert [one["package"]["name"] for one in both] == ["react", "left-pad"]


def test_compare_shows_those_that_are_known_and_says_which_are_not(filled: Path) -> None:
    result = invoke(filled, "compare", "react", "nobody-knows", code=1)
    assert "300,000,000" in result.stdout
    assert "nobody-knows" in result.stderr


def test_a_user_and_a_scope_of_one_name_are_both_shown(filled: Path) -> None:
    shown = invoke(filled, "user", "@types").stdout
    assert "1 package in the scope @types" in shown
    assert "1 package maintained by ~types" in shown
    told = answer(filled, "user", "~ada")
    assert (told["name"], told["scope"]) == ("ada", [])
    assert [one["name"] for one in told["maintainer"]] == ["left-pad"]


def test_a_user_whom_nobody_knows(filled: Path) -> None:
    assert "crawl @USER" in invoke(filled, "user", "nobody", code=1).stderr


def test_why_shows_who_says_what_and_which_word_counts(filled: Path) -> None:
    shown = invoke(filled, "why", "left-pad").stdout
    assert "wins" in shown
    assert "5000000 downloads a month" in shown
    told = answer(filled, "why", "left-pad", "2026-09-20")
    assert [(one["value"], one["verdict"]) for one in told] == [("127", "wins")]
    invoke(filled, "why", "nobody-knows", code=1)


def test_a_day_is_a_date(filled: Path) -> None:
    assert "such as 2026-08-28" in invoke(filled, "why", "left-pad", "yesterday", code=2).output


def test_writers_are_shown_with_their_roles(filled: Path) -> None:
    shown = invoke(filled, "writers").stdout
    assert "the writer" in shown
    assert "crawler" in shown
    told = answer(filled, "writers")
    assert {one["role"] for one in told} == {"owner", "crawler"}


def test_rebuild_gives_the_same_view(filled: Path) -> None:
    before = answer(filled, "rebuild")
    (filled / "view.db").unlink()
    assert answer(filled, "rebuild") == before
    assert before["packages"] == 5
    assert answer(filled, "search", "react")["exact"] == "react"


def test_a_view_or_an_index_that_was_deleted_is_made_again(filled: Path) -> None:
    for file in (filled / "search").iterdir():
        file.unlink()
    result = invoke(filled, "search", "react")
    assert "this happens once" in result.stderr
    assert "300,000,000" in result.stdout


def test_a_new_folder_is_filled_with_the_facts_that_are_shipped(tmp_path: Path) -> None:
    told = answer(tmp_path / "new", "search", "left-pad")
    assert told["exact"] == "left-pad"
    assert Group.find(tmp_path / "new") is not None


# --- groups


def test_a_group_is_made_shown_and_changed(tmp_path: Path) -> None:
    made = answer(tmp_path / "mine", "group", "create")
    found = Group.find(tmp_path / "mine")
    assert found is not None
    assert made["group"] == found.key.hex()
    assert KEY in invoke(tmp_path / "mine", "group", "admit", KEY, "--role", "watcher").stdout
    shown = invoke(tmp_path / "mine", "group", "show").stdout
    assert "(yours)" in shown
    assert "watcher" in shown
    revoked = answer(tmp_path / "mine", "group", "revoke", KEY[:8])
    assert revoked["members"][-1] == {"key": KEY, "role": "watcher", "until": {}}
    assert "revoked; nothing" in invoke(tmp_path / "mine", "group", "show").stdout


def test_a_group_is_made_once(filled: Path) -> None:
    assert "choose another folder" in invoke(filled, "group", "create", code=1).stderr


def test_only_the_owner_admits(tmp_path: Path) -> None:
    Group.join(tmp_path, KEY)
    assert "owner" in invoke(tmp_path, "group", "admit", KEY, code=1).stderr
    assert "owner" in invoke(tmp_path, "group", "revoke", KEY, code=1).stderr


def test_without_a_group_it_says_how_to_make_one(tmp_path: Path) -> None:
    assert "pkgstats group create" in invoke(tmp_path, "group", "show", code=1).stderr


@pytest.mark.parametrize("key", ["", "xy", "0" * 63])
def test_a_key_that_is_none(filled: Path, key: str) -> None:
    assert "64 hex digits" in invoke(filled, "group", "admit", key, code=2).output


def test_a_member_whom_nobody_knows(filled: Path) -> None:
    assert "group show" in invoke(filled, "group", "revoke", "0123", code=1).stderr


# --- while a node has the folder


@pytest.fixture
def locked(filled: Path) -> Iterator[Path]:
    """A folder that a node in another thread has open."""
    loop = asyncio.new_event_loop()
    group = Group.find(filled)
    assert group is not None
    one = node(filled, group, alone=True)
    loop.run_until_complete(one.__aenter__())
    loop.run_until_complete(fill(one, "the writer", rows("later", 1)))
    loop.run_until_complete(one.index())
    yield filled
    loop.run_until_complete(one.__aexit__(None, None, None))
    loop.close()


def test_verbs_that_read_go_on(locked: Path) -> None:
    assert "later-0" in invoke(locked, "search", "later").stdout
    invoke(locked, "show", "left-pad")
    invoke(locked, "writers")
    invoke(locked, "group", "show")
    result = invoke(locked, "why", "left-pad")
    assert "wins" in result.stdout
    assert "older words stay in the feeds" in result.stderr


def test_verbs_that_write_say_who_has_it(locked: Path) -> None:
    shown = invoke(locked, "group", "admit", KEY, code=4).stderr
    assert "end that (Ctrl-C there)" in shown


def test_a_serve_that_was_killed_is_no_serve(filled: Path) -> None:
    Door("http://127.0.0.1:9", "secret").write(filled)
    assert "no `pkgstats serve`" in invoke(filled, "peers", code=1).stderr
    invoke(filled, "group", "admit", KEY)


# --- all of them


def test_help_names_the_verbs_but_not_the_inner_one() -> None:
    shown = CliRunner().invoke(main, ["--help"]).output
    for command in COMMANDS:
        assert (f"\n  {command.name} " in shown) == (not command.hidden)
    assert shown.index("\n  serve ") < shown.index("\n  search ") < shown.index("\n  demo ")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command.name))
def test_every_verb_answers_in_json_and_takes_a_folder(command: click.Command) -> None:
    every = command.commands.values() if isinstance(command, click.Group) else [command]
    for one in every:
        options = {name for parameter in one.params for name in parameter.opts}
        assert "--data" in options
        assert "--json" in options or one.name in {"demo", "writer", "pages", "export", "digest"}


def test_errors_have_exit_codes_and_advice() -> None:
    locked = StorageLockedError("the folder is open", holder="nobody")
    assert exit_code_of(locked) == 4
    assert "Ctrl-C there" in describe(locked)
    assert exit_code_of(OSError(98, "Address already in use")) == 1


def test_text_of_strangers_is_one_line_without_commands() -> None:
    assert clean("a\nb\t\x1b[31mc\x9b2J\u202e") == "a b \ufffd[31mc\ufffd2J\ufffd"


@pytest.mark.parametrize(
    ("values", "bars"), [([], ""), ([0, 0], "▁▁"), ([1, 8], "▂█"), ([7, 0, 3], "█▁▄")]
)
def test_sparklines(values: list[int], bars: str) -> None:
    assert sparkline(values) == bars


def test_weeks_are_whole_and_end_with_the_last_day() -> None:
    days = [DayFacts(day, 1, 1, b"", disputed=False) for day in range(100, 118)]
    assert weeks_of(days) == [("1970-04-21", 7), ("1970-04-28", 7)]
    assert weeks_of([]) == []


def test_no_query_leaves_this_machine(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []

    def note(*arguments: object, **_: object) -> None:
        calls.append(arguments)
        raise OSError("no network")

    for name in ("connect", "connect_ex", "sendto", "bind"):
        monkeypatch.setattr(socket.socket, name, note)
    monkeypatch.setattr(socket, "getaddrinfo", note)
    for words in (
        ("search", "left-pad", "license:wtfpl"),
        ("search", "pad", "sort:growth"),
        ("show", "left-pad"),
        ("why", "left-pad"),
        ("compare", "left-pad", "react"),
        ("user", "types"),
        ("writers",),
    ):
        invoke(filled, *words)
    assert calls == []
