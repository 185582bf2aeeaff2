"""Whom to ask: what is said first wins, and nobody is asked who was not named."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from pkgstats.sources import addresses
from pkgstats.sources.addresses import (
    Addresses,
    checked,
    find_addresses,
    npm_says,
    swap_label,
)
from pkgstats.sources.errors import AddressError

if TYPE_CHECKING:
    from pathlib import Path


class Machine:
    """A user's folder, a project and a prefix, with an environment."""

    def __init__(self, root: Path) -> None:
        self.home, self.project, self.prefix = root / "home", root / "project", root / "prefix"
        for folder in (self.home, self.project / "deep", self.prefix / "etc"):
            folder.mkdir(parents=True)
        (self.project / "package.json").write_text("{}")
        self.environ = {"HOME": str(self.home), "PREFIX": str(self.prefix), "PATH": ""}

    def find(self, registry: str | None = None, npm: str | None = None) -> Addresses:
        return find_addresses(
            registry,
            environ=self.environ,
            folder=self.project / "deep",
            ask_npm=lambda: npm,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_each_place_wins_over_the_later_ones(machine: Machine) -> None:
    with pytest.raises(AddressError, match=r"--registry.*PKGSTATS_REGISTRY.*npmrc"):
        machine.find()
    found = machine.find(npm="https://registry.example.org/")
    assert found.registry == "https://registry.example.org"
    assert found.origin == "npm config get registry"
    places = [machine.prefix / "etc" / "npmrc", machine.home / ".npmrc", machine.project / ".npmrc"]
    for number, file in enumerate(places):
        file.write_text(f"registry=http://file{number}.example.org\n")
        found = machine.find(npm="https://registry.example.org/")
        assert (found.registry, found.origin) == (f"http://file{number}.example.org", str(file))
    machine.environ["NPM_CONFIG_REGISTRY"] = "http://npm.example.org"
    assert machine.find().registry == "http://npm.example.org"
    machine.environ["PKGSTATS_REGISTRY"] = "http://own.example.org/npm/"
    assert machine.find().registry == "http://own.example.org/npm"
    assert machine.find("http://said.example.org").registry == "http://said.example.org"


def test_other_files_can_be_named(machine: Machine, tmp_path: Path) -> None:
    file = tmp_path / "named"
    file.write_text("registry=http://named.example.org\n")
    machine.environ["npm_config_globalconfig"] = str(file)
    assert machine.find().origin == str(file)
    del machine.environ["npm_config_globalconfig"]
    machine.environ["npm_config_userconfig"] = str(file)
    assert machine.find().origin == str(file)
    file.write_text(f"prefix={tmp_path}\n")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "npmrc").write_text("registry=http://prefix.example.org\n")
    assert machine.find().registry == "http://prefix.example.org"


def test_scopes_may_have_registries_of_their_own(machine: Machine) -> None:
    (machine.home / ".npmrc").write_text("@work:registry=http://user.example.org\n")
    (machine.project / ".npmrc").write_text("@work:registry=http://work.example.org/\n")
    found = machine.find("http://registry.example.org")
    assert found.registry_of("@work/a") == "http://work.example.org"
    assert found.registry_of("@other/a") == found.registry_of("a") == "http://registry.example.org"
    assert found.is_private("@work/a")
    assert not found.is_private("a")
    (machine.project / ".npmrc").write_text("@work:registry=${UNSET}\n")
    with pytest.raises(AddressError, match="npmrc"):
        machine.find("http://registry.example.org")


def test_downloads_and_changes_are_derived_or_set(machine: Machine) -> None:
    found = machine.find("https://registry.example.org/")
    assert found.need_downloads() == "https://api.example.org"
    assert found.need_changes() == "https://replicate.example.org/registry"
    with pytest.raises(AddressError, match="PKGSTATS_CHANGES"):
        machine.find("http://127.0.0.1:4873").need_changes()
    with pytest.raises(AddressError, match="PKGSTATS_DOWNLOADS"):
        machine.find("http://127.0.0.1:4873").need_downloads()
    machine.environ |= {
        "PKGSTATS_DOWNLOADS": "http://127.0.0.1:1/",
        "PKGSTATS_CHANGES": "http://127.0.0.1:2/registry",
    }
    found = machine.find("https://registry.example.org/")
    assert found.need_downloads() == "http://127.0.0.1:1"
    assert found.need_changes() == "http://127.0.0.1:2/registry"
    assert swap_label("https://registry.example.org:8443/npm", "api") == (
        "https://api.example.org:8443"
    )
    assert swap_label("https://registry", "api") is None


@pytest.mark.parametrize(
    "address",
    [
        "registry.example.org",
        "ftp://registry.example.org",
        "http://",
        "http://name:word@registry.example.org",
        "http://registry.example.org/?a=b",
        "http://registry.example.org/#a",
        "http://registry.example.org:99999",
        "http://[::1",
        "http://regis\ntry.example.org",
        "http://registry.example.org/" + "a" * 3000,
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(AddressError, match="a setting") as caught:
        checked(address, "a setting")
    assert "word" not in str(caught.value).partition("without")[0]


def program(folder: Path, text: str) -> None:
    file = folder / "npm"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for npm")
def test_npm_itself_is_asked_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert npm_says() is None
    program(tmp_path, 'echo "http://127.0.0.1:5/"')
    assert npm_says() == "http://127.0.0.1:5/"
    program(tmp_path, "echo undefined")
    assert npm_says() is None
    program(tmp_path, 'echo "http://127.0.0.1:5/"; exit 1')
    assert npm_says() is None
    monkeypatch.setattr(addresses, "NPM_SECONDS_MAX", 0.05)
    program(tmp_path, "exec /bin/sleep 30")
    assert npm_says() is None


def test_a_file_that_cannot_be_read_says_nothing(machine: Machine) -> None:
    (machine.home / ".npmrc").mkdir()
    (machine.project / ".npmrc").write_bytes(b"\xff\xfe registry=\0")
    assert machine.find("http://127.0.0.1:1").scopes == {}
