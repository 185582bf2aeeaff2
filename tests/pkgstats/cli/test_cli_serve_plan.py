from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import pytest

from pkgstats.cli.serve_plan import planned

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS: dict[str, Any] = {
    "network": None,
    "search_only": False,
    "writes": False,
    "title": "a writer",
    "host": "127.0.0.1",
    "port": 0,
    "public": False,
    "indexed": False,
    "base": "",
    "trust_proxy": False,
    "access_log": "",
    "log_queries": False,
    "open_metrics": False,
    "follow": False,
    "fetch": False,
    "registry": None,
}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])  # noqa: S104
def test_others_read_the_pages_only_if_that_was_asked_for(host: str) -> None:
    with pytest.raises(click.UsageError, match="say --public"):
        planned(**OPTIONS | {"host": host})
    assert planned(**OPTIONS | {"host": host, "public": True}).settings.public


def test_what_it_does_is_said() -> None:
    local = "http://127.0.0.1:9/"
    idle = planned(**OPTIONS)
    assert (idle.asks, idle.readers) == (
        "nothing: neither --follow nor --fetch",
        "this machine alone",
    )
    busy = planned(**OPTIONS | {"follow": True, "fetch": True, "registry": local, "public": True})
    assert busy.asks.startswith("what changes, and what is due; packages that are not held")
    assert busy.readers == "whoever reaches them (--public)"
    assert planned(**OPTIONS | {"fetch": True, "registry": local}).asks.startswith("packages")


def test_what_the_pages_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked = {"public": True, "base": "https://a.example/", "trust_proxy": True}
    plan = planned(**OPTIONS | asked | {"access_log": "access.log", "log_queries": True})
    settings = plan.settings
    assert (settings.base, settings.trust_proxy) == ("https://a.example", True)
    assert settings.access_log == str(tmp_path / "access.log")  # wherever the pages then run
    assert (settings.log_queries, settings.open_metrics, settings.indexed) == (True, False, False)
    assert planned(**OPTIONS).settings.access_log == ""
    assert planned(**OPTIONS | {"access_log": "-"}).settings.access_log == "-"
