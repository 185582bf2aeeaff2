from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from tests.pkgstats.posting.stand_in import TOKEN, Server

from pkgstats.cli import main
from pkgstats.cli.posting import TOKEN_SETTING
from pkgstats.posting.memory import FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

ALL = 5
"""Packages of the folder."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def digest(folder: Path, *options: object, token: str | None = TOKEN) -> Result:
    words = ["digest", *map(str, options), "--data", str(folder)]
    return CliRunner().invoke(main, words, env={TOKEN_SETTING: token})


def post(folder: Path, to: object, *options: object, token: str | None = TOKEN) -> Result:
    return digest(folder, "--post", "--to", to, "--every", 0, *options, token=token)


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_digest_is_text_a_feed_or_json(filled: Path) -> None:
    assert "Most popular" in digest(filled).stdout
    ET.fromstring(digest(filled, "--format", "atom").stdout)  # noqa: S314 - our own
    feed = told(digest(filled, "--format", "jsonfeed"))
    assert len(feed["items"]) == sum(map(len, told(digest(filled, "--json"))["parts"].values()))


def test_posts_go_to_a_server_once(filled: Path, server: Server) -> None:
    first = post(filled, server.url, "--link-to", "https://packages.example", "--per-day", 3)
    assert first.exit_code == 0, first.output
    assert f"3 posted to {server.url}; 2 more another day" in first.stderr
    assert len(server.posts) == 3
    assert all("\n\nhttps://packages.example/package/" in one for one in server.posts)
    done = told(post(filled, server.url, "--json"))
    assert (len(done["posted"]), done["left"]) == (ALL - 3, 0)
    assert len({re.sub(".*: ", "", one).split()[0] for one in server.posts}) == ALL


def test_a_dry_run_contacts_nobody_and_needs_no_token(filled: Path, server: Server) -> None:
    shown = post(filled, server.url, "--dry-run", token=None)
    assert shown.exit_code == 0, shown.output
    assert f"{ALL} would be posted to {server.url}" in shown.stderr
    assert "Popular: " in shown.stdout
    assert server.asked == []
    assert not (filled / FILE).exists()
    post(filled, server.url, "--per-day", 2)
    left = told(post(filled, server.url, "--dry-run", "--per-day", 4, "--json"))
    assert (len(left["would_post"]), left["left"]) == (2, 1)
    assert not set(left["would_post"]) & set(server.posts)


def test_posts_go_to_standard_output_and_files(filled: Path, tmp_path: Path) -> None:
    file = tmp_path / "posts.txt"
    printed = digest(filled, "--post", "--to", "-")
    assert digest(filled, "--post", "--to", file).exit_code == 0
    assert printed.stdout == file.read_text("utf-8")
    assert len(printed.stdout.strip().split("\n\n")) >= ALL
    assert digest(filled, "--post", "--to", "-").stdout == ""


def test_the_token_may_be_in_a_file(filled: Path, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    done = post(filled, server.url, "--token-file", file, "--per-day", 1, token="wrong")  # noqa: S106
    assert done.exit_code == 0, done.output
    missing = post(filled, server.url, "--token-file", tmp_path / "none")
    assert missing.exit_code == 1
    assert "none: No such file" in missing.stderr


@pytest.mark.parametrize(
    ("token", "said"), [("wrong", "does not take the token"), (None, f"set ${TOKEN_SETTING}")]
)
def test_a_wrong_token_is_an_error(
    filled: Path, server: Server, token: str | None, said: str
) -> None:
    refused = post(filled, server.url, token=token)
    assert refused.exit_code == 1
    assert said in refused.stderr
    assert TOKEN not in refused.output
    assert len(told(post(filled, server.url, "--json"))["posted"]) == ALL


def test_a_lost_answer_says_what_happens_next(filled: Path, server: Server) -> None:
    server.script(503, taken=True)
    lost = post(filled, server.url)
    assert lost.exit_code == 1
    assert "a run within 50 minutes does it, and never twice" in lost.stderr
    assert post(filled, server.url).exit_code == 0
    assert len(server.posts) == ALL


@pytest.mark.parametrize(
    "options",
    [
        ["--to", "-"],
        ["--dry-run"],
        ["--post"],
        ["--post", "--to", "-", "--link-to", "packages.example"],
        ["--post", "--to", "-", "--format", "atom"],
        ["--post", "--to", "-", "--every", "-1"],
        ["--post", "--to", "-", "--visibility", "loud"],
    ],
)
def test_what_makes_no_sense_is_wrong_usage(filled: Path, options: list[str]) -> None:
    assert digest(filled, *options).exit_code == 2
    assert not (filled / FILE).exists()


def test_a_token_is_not_sent_in_the_clear(filled: Path) -> None:
    refused = post(filled, "http://social.example")
    assert refused.exit_code == 1
    assert "https is needed" in refused.stderr
