from __future__ import annotations

import pytest

from pkgstats.records.kinds import Name, RecordError
from pkgstats.records.names import WHOLE, bare_name, is_package_name, scope_of


@pytest.mark.parametrize(
    "name", ["a", "left-pad", "@types/node", "JSONStream", "x.y_z~", "@a/.b", "a" * 214, "0"]
)
def test_names_that_packages_have(name: str) -> None:
    assert is_package_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".a",
        "_a",
        "a b",
        "a/b",
        "@a",
        "@/a",
        "@a/",
        "@a/b/c",
        "é",
        "a" * 215,
        "a\n",
        "@a/..",
        "a%2fb",
        "@@a/b",
        "a\x00",
    ],
)
def test_names_that_no_package_has(name: str) -> None:
    assert not is_package_name(name)


def test_what_stands_for_a_whole_registry_is_no_package() -> None:
    assert not is_package_name(WHOLE)
    assert Name(or_whole=True).check(WHOLE) == WHOLE
    for kind, value in ((Name(), WHOLE), (Name(or_whole=True), "a b"), (Name(or_whole=True), b"")):
        with pytest.raises(RecordError):
            kind.check(value)


def test_the_parts_of_a_name() -> None:
    assert scope_of("@types/node") == "types"
    assert scope_of("node") is None
    assert bare_name("@types/node") == "node"
    assert bare_name("node") == "node"
