"""The command line without a network, in process; see test_cli_network.py for peers."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from hypermultifeed.cli import main
from hypermultifeed.cli import running as cli_running
from hypermultifeed.cli.network_options import parsed_address
from hypermultifeed.errors import StorageLockedError
from hypermultifeed.storage import files

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Run = Callable[..., Result]

KEY = "07" * 32


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYPERMULTIFEED_DIR", raising=False)
    monkeypatch.delenv("HYPERMULTIFEED_KEY", raising=False)

    def run(*arguments: str, stdin: str | bytes = b"", code: int = 0) -> Result:
        result = CliRunner().invoke(main, list(arguments), input=stdin)
        assert result.exit_code == code, result.output
        return result

    return run


def json_lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_from_nothing_to_a_feed_with_blocks(run: Run) -> None:
    run("create")
    run("append", stdin="one\ntwo\r\n\nfour")
    assert run("cat").stdout == "one\ntwo\n\nfour\n"
    (feed,) = json_lines(run("feeds", "--json"))
    assert feed == {
        "name": "local",
        "key": feed["key"],
        "length": 4,
        "bytes": 10,
        "stored": 4,
        "writable": True,
        "forked": False,
    }
    table = run("feeds").stdout
    assert "local" in table
    assert feed["key"] in table


def test_a_second_append_goes_on(run: Run) -> None:
    run("create")
    run("append", stdin="one\n")
    result = run("append", "--json", stdin="two\n")
    (fact,) = json_lines(result)
    assert (fact["start"], fact["length"]) == (1, 2)
    assert run("cat").stdout == "one\ntwo\n"


def test_several_writers_in_order_of_arrival(run: Run) -> None:
    run("create")
    run("append", "--writer", "zoe", stdin="z\n")
    run("append", "--writer", "adam", stdin="a\n")
    assert run("cat").stdout == "z\na\n"
    assert run("cat", "adam").stdout == "a\n"
    assert run("cat", "--label").stdout == "zoe:0\tz\nadam:0\ta\n"


def test_a_feed_by_how_its_key_begins(run: Run) -> None:
    run("create")
    run("append", stdin="x\n")
    key = json_lines(run("feeds", "--json"))[0]["key"]
    assert run("cat", key[:6].upper()).stdout == "x\n"
    assert "no feed is called nobody; there are: local" in run("cat", "nobody", code=1).output


def test_a_range_of_blocks(run: Run) -> None:
    run("create")
    run("append", stdin="0\n1\n2\n3\n")
    assert run("cat", "--start", "1", "--stop", "3").stdout == "1\n2\n"
    assert run("cat", "--start", "9").stdout == ""


def test_json_blocks_are_stored_as_javascript_stores_them(run: Run) -> None:
    run("create")
    run("append", "--blocks", "json", stdin='{ "a" : [1, "\\u00e9"] }\n')
    assert json_lines(run("cat", "--json"))[0]["text"] == '{"a":[1,"é"]}\n'
    assert run("cat").stdout == '{"a":[1,"é"]}\n'


def test_what_is_no_json_is_said_with_its_line(run: Run) -> None:
    run("create")
    result = run("append", "--blocks", "json", stdin="1\nnope\n", code=1)
    assert "-, line 2: no JSON" in result.stderr


def test_whole_files_as_blocks(run: Run) -> None:
    run("create")
    Path("one").write_bytes(b"a\nb")
    Path("two").write_bytes(b"\xff")
    run("append", "--blocks", "files", "one", "two")
    shown = json_lines(run("cat", "--json"))
    assert [(block.get("text"), block.get("base64")) for block in shown] == [
        ("a\nb", None),
        (None, "/w=="),
    ]
    assert "gone: No such file" in run("append", "gone", code=1).stderr


def test_a_block_that_is_too_large_is_refused_and_changes_nothing(run: Run) -> None:
    run("create")
    result = run("append", stdin=b"x" * (17 << 20), code=6)
    assert "split it" in result.stderr
    assert "ERR_BLOCK_TOO_LARGE" in result.stderr
    assert json_lines(run("feeds", "--json"))[0]["length"] == 0


def test_the_key_is_shown_only_when_asked_for(run: Run) -> None:
    shown = run("create", "--key", "-", stdin=KEY).output
    shown += run("append", stdin="x\n").output + run("feeds").output + run("doctor").output
    shown += run("create", "--key", "-", stdin=KEY, code=1).output
    assert KEY not in shown
    assert run("key").stdout == f"{KEY}\n"
    assert run("key", "--topic").stdout.strip() in shown


def test_each_new_multifeed_has_a_key_of_its_own(run: Run) -> None:
    for folder in ("one", "two"):
        run("-d", folder, "create")
    assert run("-d", "one", "key").stdout != run("-d", "two", "key").stdout


def test_the_folder_may_come_from_the_environment(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYPERMULTIFEED_DIR", "elsewhere")
    (fact,) = json_lines(run("create", "--json"))
    assert fact["folder"] == "elsewhere"
    assert Path("elsewhere").is_dir()


@pytest.mark.parametrize("verb", ["append", "cat", "tail", "feeds", "key", "doctor", "share"])
def test_without_a_multifeed_every_verb_says_how_to_make_one(run: Run, verb: str) -> None:
    assert "hypermultifeed create" in run(verb, code=1).output
    assert not Path("multifeed").exists()


@pytest.mark.parametrize("verb", ["peers", "network", "stop"])
def test_without_a_running_command_there_is_nothing_to_tell(run: Run, verb: str) -> None:
    run("create")
    assert "hypermultifeed share" in run(verb, code=1).stderr


def test_a_writer_that_cannot_be_called_so(run: Run) -> None:
    run("create")
    assert "1 to 1024 bytes" in run("append", "--writer", "", code=1).stderr


def test_a_folder_that_holds_a_multifeed_is_not_made_again(run: Run) -> None:
    run("create")
    assert "holds a multifeed already" in run("create", code=1).output


def test_a_key_of_another_multifeed_is_refused(run: Run) -> None:
    run("create")
    assert "no multifeed of that key" in run("--root-key", KEY, "feeds", code=1).output
    assert "64 hex digits" in run("--root-key", "abc", "feeds", code=1).output


def test_a_folder_in_use_names_its_holder(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("create")
    monkeypatch.setattr(cli_running, "LOCK_PATIENCE_S", 0.0)
    storage = files("multifeed")("relaxed")
    with pytest.raises(StorageLockedError) as caught:
        files("multifeed")("relaxed")
    result = run("feeds", code=4)
    assert caught.value.holder in result.stderr
    assert "ERR_STORAGE_LOCKED" in result.stderr
    asyncio.run(storage.close())
    run("feeds")


def test_doctor_on_a_healthy_folder(run: Run) -> None:
    run("create")
    run("append", stdin="a\nb\n")
    shown = run("doctor").stdout
    assert "good     local: 2 blocks verified" in shown
    assert "Nothing to mend." in shown


def test_doctor_finds_a_damaged_block_and_says_what_to_do(run: Run) -> None:
    run("create")
    run("append", stdin="aaaa\nbbbb\n")
    (data,) = [file for file in Path("multifeed").rglob("data") if file.stat().st_size == 8]
    data.write_bytes(b"aaaabXbb")
    result = run("doctor", code=5)
    assert "damaged  local: 1 block verified, 1 damaged (the first: [1])" in result.stdout
    assert "hypermultifeed sync" in result.stdout
    (fact,) = json_lines(run("doctor", "--json"))
    assert (fact["valid"], fact["damaged"], fact["missing"]) == (1, 0, 1)
    assert "1 block missing" in run("cat").stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_doctor_warns_of_a_folder_that_others_can_read(run: Run) -> None:
    run("create")
    Path("multifeed").chmod(0o755)
    assert "chmod 700 multifeed" in run("doctor").stdout


def test_tail_shows_the_last_blocks(run: Run) -> None:
    run("create")
    run("append", stdin="".join(f"{number}\n" for number in range(20)))
    assert run("tail").stdout.split() == [str(number) for number in range(10, 20)]
    assert run("tail", "-n", "2", "local").stdout == "18\n19\n"
    assert run("tail", "-n", "0").stdout == ""


def test_tail_from_a_peer_needs_follow(run: Run) -> None:
    assert "--peer needs --follow" in run("tail", "--peer", "a:1", code=2).output


def test_text_from_others_cannot_steer_the_terminal() -> None:
    assert cli_running.printable("a\x1b[2Jé") == "a\\x1b[2Jé"


@pytest.mark.parametrize(
    ("text", "address"),
    [("localhost:1", ("localhost", 1)), ("[::1]:65535", ("::1", 65535))],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parsed_address(click.Context(main), click.Argument(["x"]), text) == address


@pytest.mark.parametrize("text", ["", "host", ":1", "host:", "host:0", "host:65536", "host:x"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(click.BadParameter, match="HOST:PORT"):
        parsed_address(click.Context(main), click.Argument(["x"]), text)


@pytest.mark.parametrize("verb", sorted(main.commands))
def test_every_verb_has_help_with_its_options(run: Run, verb: str) -> None:
    shown = run(verb, "--help").stdout
    assert f"main {verb}" in shown
    assert "--help" in shown


def test_help_shows_examples_and_exit_codes(run: Run) -> None:
    shown = run("--help").stdout
    assert "hypermultifeed clone KEY copy" in shown
    assert "130 Ctrl-C" in shown
    assert run("--version").stdout.startswith("main, version 0.")
