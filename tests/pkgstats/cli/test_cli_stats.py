from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner
from tests.pkgstats.nodes import LAST_DAY

from pkgstats.cli import main
from pkgstats.cli.output import date_of
from pkgstats.cli.stats import percent

if TYPE_CHECKING:
    from pathlib import Path


def test_totals_and_growth_of_a_package_and_of_all(filled: Path) -> None:
    for names in (["left-pad"], []):
        told = CliRunner().invoke(main, ["stats", *names, "--data", str(filled), "--json"])
        found = json.loads(told.stdout)
        assert found["last_day"] == date_of(LAST_DAY)
        week = found["growth"]["week"]
        assert week["now"]["downloads"] == sum(range(121, 128))
        assert week["ratio"] == sum(range(121, 128)) / sum(range(114, 121))
        assert found["growth"]["year"]["ratio"] is None
        assert (found["packages"], found["outages"]) == (5, [])
    text = CliRunner().invoke(main, ["stats", "--data", str(filled)]).stdout
    assert "+6.0 %" in text
    assert "by week:" in text


def test_who_has_no_days_is_told_so(filled: Path) -> None:
    found = CliRunner().invoke(main, ["stats", "react", "--data", str(filled)])
    assert found.exit_code == 0
    assert "nobody has told of downloads by day" in found.stderr
    assert CliRunner().invoke(main, ["stats", "nobody", "--data", str(filled)]).exit_code == 1
    assert percent(None) == "-"
