"""Every example runs, from its own file, and prints what it should."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .repository import ROOT, documents

if TYPE_CHECKING:
    from pathlib import Path

DEADLINE_S = 60

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

PRINTED = {
    "accept_policy": """\
a peer offers a feed: no
a peer offers a feed: yes
a peer offers a feed: no
from whom we trust
""",
    "custom_codec": """\
24 bytes in 2 blocks
12:00  21.5 °C
13:00  22.25 °C
raw: 0000018fd3abc20000000866
""",
    "index_feeds": """\
feed 2
log 1
peer 1
""",
    "network": """\
PeerJoined
hello from one who shares
peers: 1, feeds: 1
PeerLeft
""",
    "over_tcp": """\
received one
received two
received three
""",
    "own_storage": """\
append: 1 commit
extend of 100 values: 1 commit
read back: 101 values
""",
    "shared_store": """\
a new version is out
good morning
cores in our store: 4
""",
    "sparse_reading": """\
length 1000 with 0 blocks here
block 500: line 0500
byte 5005 is byte 5 of block 500
here now: 11 blocks; block 11 too: True
LookupError: block 999 is not here
""",
    "two_multifeeds": """\
alice has 2 feeds
  alice: hello
  bob: hi
  bob: how are you?
bob has 2 feeds
  bob: hi
  bob: how are you?
  alice: hello
""",
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_prints_what_it_should(example: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-W", "error", str(example)],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == PRINTED[example.stem]
    assert done.returncode == 0
    assert not list(tmp_path.iterdir())  # it leaves nothing behind


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_can_be_found_and_says_how_to_run_it(example: Path) -> None:
    assert f"examples/{example.name}" in documents()
    assert f"examples/{example.name}" in example.read_text(encoding="utf-8")


def test_no_expectation_outlives_its_example() -> None:
    assert set(PRINTED) == {example.stem for example in EXAMPLES}
