"""The lock file and the packages' own files agree."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import pytest

from .repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
LOCKED = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", LOCK, flags=re.MULTILINE).strip())
PROJECTS = sorted(ROOT.glob("packages/*/pyproject.toml"))


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def project(file: Path) -> dict[str, object]:
    table = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    assert isinstance(table, dict)
    return table


@pytest.mark.parametrize("entry", LOCKED, ids=name_of)
def test_every_locked_package_is_pinned_with_hashes(entry: str) -> None:
    requirement, *hashes = [line.strip(" \\") for line in entry.splitlines()]
    assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; .+)?", requirement)
    assert hashes
    assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes)


def test_the_lock_names_no_place() -> None:
    assert not re.search(r"://|--(extra-)?index|find-links|^\s*[./]", LOCK, re.MULTILINE)


def test_what_the_packages_and_the_tools_ask_for_is_locked() -> None:
    locked = {name_of(entry) for entry in LOCKED}
    ours = {file.parent.name for file in PROJECTS}
    root = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {name_of(one) for one in root["dependency-groups"]["dev"]}
    for file in PROJECTS:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        wanted |= {name_of(one) for one in table["project"]["dependencies"]}
        wanted |= {name_of(one) for one in table["build-system"]["requires"]}
    assert wanted - ours <= locked


def test_both_packages_have_one_version_one_licence_and_one_python() -> None:
    tables = [project(file) for file in PROJECTS]
    assert {table["name"] for table in tables} == {"hypermultifeed", "pkgstats"}
    for field in ("version", "license", "requires-python"):
        assert len({str(table[field]) for table in tables}) == 1, field
    version = tables[0]["version"]
    assert f"hypermultifeed=={version}" in str(tables[1]["dependencies"])
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_licence_is_the_one_that_is_declared() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("ISC License")
    assert {project(file)["license"] for file in PROJECTS} == {"ISC"}
