from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from click.testing import CliRunner, Result
from tests.pkgstats.crawler.world import populate

from pkgstats.cli import main
from pkgstats.crawler.crawl import Crawler
from pkgstats.sources import addresses

from .conftest import LIST

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from tests.pkgstats.fake_registry import FakeRegistry


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [arguments[0], "--data", str(folder), *arguments[1:]])


def answer(folder: Path, *arguments: str) -> Any:
    found = run(folder, *arguments, "--json")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def imported(folder: Path) -> Any:
    return answer(folder, "import", str(folder.parent / "list.tsv"))


def test_a_list_goes_in_and_out(folder: Path) -> None:
    assert answer(folder, "import", str(folder.parent / "list.tsv"), "--dry-run")["rows"] == 2
    assert imported(folder)["new"] == 2
    assert imported(folder)["new"] == 0
    out = folder.parent / "out.tsv"
    assert answer(folder, "export", str(out))["rows"] == 2
    assert out.read_text() == LIST
    lines = run(folder, "export", "-").stdout.splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["react", "left-pad"]


def test_what_is_no_list_is_an_error_with_advice(folder: Path) -> None:
    bad = folder.parent / "bad.tsv"
    bad.write_text("a\tb\n")
    found = run(folder, "import", str(bad))
    assert found.exit_code == 1
    assert "line 1: the columns name, version, downloads_a_month are missing" in found.stderr
    (folder.parent / "list.txt").write_text(LIST)
    assert "--format" in run(folder, "import", str(folder.parent / "list.txt")).stderr
    assert run(folder, "export", "list.xyz").exit_code == 1


def test_a_digest_in_each_format(folder: Path) -> None:
    imported(folder)
    assert "react 19.0.0" in run(folder, "digest").stdout
    ET.fromstring(run(folder, "digest", "--format", "atom").stdout)  # noqa: S314
    assert json.loads(run(folder, "digest", "--format", "jsonfeed").stdout)["items"]
    assert answer(folder, "digest")["parts"]["popular"][0]["name"] == "react"


def test_a_crawl_shares_what_is_new(folder: Path, registry: FakeRegistry) -> None:
    imported(folder)
    populate(registry, "react", "@s/x")
    first = answer(folder, "crawl", "react", "@s", "nobody")
    assert (first["unknown"], first["looked"]) == (["nobody"], 9)
    again = answer(folder, "crawl", "react", "@s")
    assert (again["said"], again["rows"]) == (0, 0)
    text = run(folder, "crawl", "react").stdout
    assert text == "3 looks: 0 new records, 0 rows of the list\n"
    told = [json.loads(line) for line in run(folder, "export", "-").stdout.splitlines()]
    assert {"@s/x", "react"} <= {row["name"] for row in told}


def test_the_most_downloaded_are_looked_at_once_a_day(folder: Path, registry: FakeRegistry) -> None:
    imported(folder)
    populate(registry, "react", "left-pad")
    assert answer(folder, "crawl", "--top", "1")["looked"] == 2
    assert answer(folder, "crawl", "--top", "2")["looked"] == 2  # left-pad alone
    assert answer(folder, "crawl", "--top", "2", "--max-age", "0")["looked"] == 4


def test_a_dry_run_asks_nothing(folder: Path, registry: FakeRegistry) -> None:
    imported(folder)
    found = run(folder, "crawl", "react", "@ada", "--top", "2", "--dry-run")
    assert found.exit_code == 0, found.output
    assert found.stdout.startswith("GET registry  /-/user/ada/package\n")
    assert "GET registry  /react\n" in found.stdout
    assert "requests" in found.stderr
    assert answer(folder, "crawl", "react", "--dry-run")["requests"][0]["path"] == "/react"
    assert registry.asked == []


def test_without_a_registry_the_error_says_what_to_set(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(folder)
    for name in ("PKGSTATS_REGISTRY", "npm_config_registry", "NPM_CONFIG_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(addresses, "npm_layers", lambda *_: iter(()))
    monkeypatch.setattr(addresses, "npm_says", lambda: None)
    found = run(folder, "crawl", "react")
    assert found.exit_code == 1
    assert "give --registry ADDRESS, or set PKGSTATS_REGISTRY" in found.stderr
    assert run(folder, "crawl").exit_code == 2
    assert "is no name" in run(folder, "crawl", "no name").stderr


def test_ctrl_c_is_130_and_the_next_run_goes_on(
    folder: Path, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(folder)
    populate(registry, "react", "left-pad")
    with monkeypatch.context() as patch:
        part = Crawler._part

        async def interrupted(self: Crawler, what: str, *others: Any) -> None:
            await part(self, what, *others)
            raise KeyboardInterrupt

        patch.setattr(Crawler, "_part", interrupted)
        found = run(folder, "crawl", "react")
    assert found.exit_code == 130
    assert "goes on" in found.stderr
    said = answer(folder, "crawl", "react")["said"]
    assert said == 4  # P, V, W and R: the days were said before the interruption


def test_packages_of_a_scope_with_a_registry_of_its_own_are_refused_before_anyone_is_asked(
    folder: Path, registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(folder)
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / ".npmrc").write_text("@work:registry=http://127.0.0.1:9/\n")
    monkeypatch.chdir(tmp_path)
    populate(registry, "react", "@work/secret")
    told = answer(folder, "crawl", "@work/secret", "@work")
    assert (told["private"], told["looked"], registry.asked) == (2, 0, [])
    assert told["remarks"][0].startswith("2 packages are left out, and nobody asked: .npmrc")
    found = run(folder, "crawl", "@work/secret", "react")
    assert "1 package is left out" in found.stderr
    assert not any("secret" in target for target in registry.asked)
    planned = run(folder, "crawl", "@work/secret", "@work", "--dry-run")
    assert "left out" in planned.stderr
    assert planned.stdout == ""
    (tmp_path / "private.tsv").write_text(LIST.replace("react", "@work/secret"))
    answer(folder, "import", str(tmp_path / "private.tsv"))
    assert answer(folder, "crawl", "--top", "3")["private"] == 1
    assert not any("secret" in target for target in registry.asked)


def test_a_recheck_alone_says_how_many_were_looked_at(folder: Path, registry: FakeRegistry) -> None:
    imported(folder)
    assert "0 records of others looked at again" in run(folder, "crawl", "--recheck").stdout
    assert answer(folder, "crawl", "--recheck")["aside"] == []
    assert registry.asked == []
