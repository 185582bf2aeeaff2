"""What the demonstration says it has done."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pkgstats.cli.demo_shown import Bars, conclude
from pkgstats.demo import Done, Stage


@pytest.mark.parametrize(
    ("fetched", "said"),
    [
        (70, "70 blocks of two writers fetched (412 kB) and verified: 20,000 packages merged"),
        (3, "3 blocks of two writers fetched (412 kB) and verified, the other 67 are here already"),
        (0, "All 70 blocks of two writers are here already: nothing had to be fetched."),
    ],
)
def test_only_what_this_run_has_fetched_is_said_to_be(fetched: int, said: str) -> None:
    out = Console(file=io.StringIO(), width=200)
    conclude(Done(20_000, 70, fetched, 412_345, 1.5, bytes(32)), out)
    assert isinstance(out.file, io.StringIO)
    shown = out.file.getvalue()
    assert shown.startswith(said)
    assert ("kB" in shown) == bool(fetched)


def test_bars_are_for_terminals_alone() -> None:
    for terminal in (False, True):
        out = Console(file=io.StringIO(), width=100, force_terminal=terminal)
        with Bars(out) as bars:
            bars.show([Stage("writer-1", 10, told=10, blocks=4, fetched=3)])
        assert isinstance(out.file, io.StringIO)
        assert ("writer-1 tells" in out.file.getvalue()) == terminal
