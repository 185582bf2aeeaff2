"""A running `serve` that crawls: by itself, for pages, and for other verbs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from click.testing import CliRunner
from tests.pkgstats.crawler.world import populate

from pkgstats.cli import main
from pkgstats.web.door import Door, FetchError, NodeDoor

from .test_cli_serving import Serve, serve

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pkgstats.fake_registry import FakeRegistry

TIMEOUT_S = 60

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")


def answer(folder: Path, *arguments: str) -> Any:
    words = [arguments[0], "--data", str(folder), *arguments[1:], "--json"]
    found = CliRunner().invoke(main, words)
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


async def test_pages_have_packages_fetched_that_nobody_holds(
    filled: Path, registry: FakeRegistry, tmp_path: Path
) -> None:
    (tmp_path / ".npmrc").write_text("@work:registry=http://127.0.0.1:9/\n")
    populate(registry, "brand-new")
    with serve(filled, "--offline", "--fetch", cwd=tmp_path) as running:
        door = Door.of(filled)
        assert door is not None
        assert door.fetches
        async with NodeDoor(door) as asking:
            await asking.fetch("brand-new")
            address = running.told["pages"]
            async with httpx.AsyncClient(trust_env=False) as http:
                assert (await http.get(f"{address}/package/brand-new")).status_code == 200
            asked = len(registry.asked)
            for name, why in (
                ("@work/secret", "registry of its own"),
                ("../etc", "no package of that name"),
            ):
                with pytest.raises(FetchError, match=why):
                    await asking.fetch(name)
            assert not any("secret" in target for target in registry.asked[asked:])
        (child,) = pages_of(running)
        running.end(signal.SIGKILL)
    ended(child)


def test_crawls_and_imports_of_other_verbs_go_through_it(
    folder: Path, registry: FakeRegistry
) -> None:
    populate(registry, "react")
    answer(folder, "import", str(folder.parent / "list.tsv"))
    with serve(folder, "--offline") as running:
        more = folder.parent / "more.tsv"
        more.write_text("name\tversion\tdownloads_a_month\nfresh\t1.0.0\t9\nreact\t19.0.0\t900\n")
        told = answer(folder, "import", str(more))
        assert (told["rows"], told["new"]) == (2, 2)
        assert answer(folder, "import", str(more))["new"] == 0
        assert answer(folder, "crawl", "react", "--light")["looked"] == 2
        assert answer(folder, "export", str(folder.parent / "out.tsv"))["rows"] == 3
        assert answer(folder, "search", "pkg:fresh")["results"][0]["name"] == "fresh"
        follow = CliRunner().invoke(main, ["crawl", "--data", str(folder), "--follow"])
        assert follow.exit_code == 1
        assert "`pkgstats serve --follow`" in follow.stderr
        refuses_what_makes_no_sense(folder)
        (child,) = pages_of(running)
        code, errors = running.end(signal.SIGTERM)
    assert (code, errors) == (0, "")
    ended(child)


def refuses_what_makes_no_sense(folder: Path) -> None:
    door = Door.of(folder)
    assert door is not None
    assert not door.fetches

    def post(what: str, **more: Any) -> httpx.Response:
        return httpx.post(f"{door.address}/control/{what}", headers=door.headers, **more)

    for body in (b"[]", b"{", b"{}", b" " * (2 << 20), b'{"asked": {"names": ["no name"]}}'):
        found = post("crawl", content=body)
        assert found.status_code == 400
        assert found.json()["error"]
    found = post("import", json={"file": str(folder), "format": "tsv", "observed_at": 1})
    assert json.loads(found.text)["kind"] == "error"
    found = post("fetch", params={"name": "brand-new"})
    assert "serve --fetch" in found.json()["error"]


def test_ctrl_c_ends_the_run_and_not_serve(folder: Path, registry: FakeRegistry) -> None:
    names = [f"p{number}" for number in range(400)]
    lines = "".join(f"{name}\t1.0.0\t9\n" for name in names)
    (folder.parent / "list.tsv").write_text("name\tversion\tdownloads_a_month\n" + lines)
    answer(folder, "import", str(folder.parent / "list.tsv"))
    populate(registry, *names)
    with serve(folder, "--offline") as running:
        words = ["crawl", "--data", str(folder), "--top", "400"]
        with subprocess.Popen(
            [sys.executable, "-m", "pkgstats", *words], stderr=subprocess.PIPE, text=True
        ) as crawl:
            assert registry.heard.wait(TIMEOUT_S)
            crawl.send_signal(signal.SIGINT)
            _, errors = crawl.communicate(timeout=TIMEOUT_S)
        assert crawl.returncode == 130
        assert "goes on from here" in errors
        more = folder.parent / "more.tsv"
        more.write_text("name\tversion\tdownloads_a_month\nfresh\t1.0.0\t9\n")
        assert answer(folder, "import", str(more))["new"] == 1
        assert running.process.poll() is None


def test_it_follows_by_itself(filled: Path, registry: FakeRegistry) -> None:
    populate(registry, "left-pad", "pad-left", "react", "@types/left-pad", "evil")
    with serve(filled, "--offline", "--follow") as running:
        assert running.process.stderr is not None
        told = ""
        while "new records" not in told:
            told = running.process.stderr.readline()
            assert told, "it has ended"
        (child,) = pages_of(running)
        code, _ = running.end(signal.SIGINT)
    assert code == 130
    ended(child)
    assert any("left-pad" in target for target in registry.asked)


def test_without_a_registry_it_says_what_to_set(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pkgstats.sources import addresses  # noqa: PLC0415

    for name in ("PKGSTATS_REGISTRY", "npm_config_registry", "NPM_CONFIG_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(addresses, "npm_layers", lambda *_: iter(()))
    monkeypatch.setattr(addresses, "npm_says", lambda: None)
    words = ["serve", "--data", str(filled), "--offline", "--fetch"]
    found = CliRunner().invoke(main, words)
    assert found.exit_code == 1
    assert "give --registry ADDRESS" in found.stderr


def test_who_only_searches_crawls_nothing(filled: Path) -> None:
    for word in ("--fetch", "--follow"):
        words = ["serve", "--data", str(filled), "--offline", "--search-only", word]
        found = CliRunner().invoke(main, words)
        assert found.exit_code == 2
        assert "without --search-only" in found.stderr


def test_others_read_the_pages_only_if_that_is_said(filled: Path) -> None:
    words = ["serve", "--data", str(filled), "--offline", "--host", "0.0.0.0"]  # noqa: S104
    found = CliRunner().invoke(main, words)
    assert found.exit_code == 2
    assert "--public" in found.stderr


def test_serve_ends_with_an_error_when_its_pages_die(filled: Path) -> None:
    with serve(filled, "--offline") as running:
        (child,) = pages_of(running)
        subprocess.run(["kill", "-9", str(child)], check=True)
        _, errors = running.process.communicate(timeout=TIMEOUT_S)
    assert running.process.returncode == 1
    assert "pages ended early" in errors
    assert Door.of(filled) is None


def pages_of(running: Serve) -> list[int]:
    """The pages' processes that a serve has started."""
    words = ["ps", "-e", "-o", "pid=,ppid=,args="]
    told = subprocess.run(words, capture_output=True, text=True, check=True)
    lines = [line.split(None, 2) for line in told.stdout.splitlines()]
    return [int(pid) for pid, of, _ in lines if int(of) == running.process.pid]


def ended(process: int) -> None:
    """Wait until a process that is not ours has ended."""
    words = ["tail", f"--pid={process}", "-f", os.devnull]
    subprocess.run(words, timeout=TIMEOUT_S, check=True)
