"""What manifests say, in the forms of many years."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from pkgstats.sources import manifest

from .test_sources_fields import ANY


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, "cjs"),
        ({"main": "index.js"}, "cjs"),
        ({"type": "module"}, "esm"),
        ({"type": "module", "exports": {"import": "./a.js", "require": "./a.cjs"}}, "dual"),
        ({"type": "module", "main": "a.cjs"}, "cjs"),
        ({"main": "a.mjs"}, "esm"),
        ({"main": "a.js", "module": "a.mjs"}, "dual"),
        ({"exports": {".": [{"node": {"import": "./a.mjs", "require": "./a.js"}}]}}, "dual"),
        ({"exports": {"import": "./a.mjs"}}, "esm"),
        ({"main": 5, "type": 5, "exports": "./a.js"}, "cjs"),
    ],
)
def test_how_it_is_loaded(said: dict[str, Any], expected: str) -> None:
    assert manifest.module_of(said) == expected


def test_types() -> None:
    assert manifest.types_of({"typings": "a.d.ts"}) == "own"
    assert manifest.types_of({"exports": {".": {"types": "./a.d.ts"}}}) == "own"
    assert manifest.types_of({"main": "a.js"}) == "none"
    deep: dict[str, Any] = {"types": "x"}
    for _ in range(50):
        deep = {"node": deep}
    assert manifest.types_of({"exports": deep}) == "none"


def test_licences_keywords_programs_and_addresses() -> None:
    assert manifest.licence_of({"license": "MIT"}) == "MIT"
    assert manifest.licence_of({"license": {"type": "BSD"}}) == "BSD"
    assert manifest.licence_of({"licenses": [{"type": "MIT"}, "ISC", 7]}) == "MIT OR ISC"
    assert manifest.keywords_of([" a ", "b", "a", 3]) == ("a", "b")
    assert manifest.keywords_of("a, b") == manifest.keywords_of("a b") == ("a", "b")
    assert manifest.binaries_of("@s/tool", "./a.js") == ("tool",)
    assert manifest.binaries_of("a", {"y": "1", "x": "2"}) == ("x", "y")
    assert manifest.url_of({"url": "git+https://example.org/a.git"}).endswith("a.git")
    assert manifest.url_of("https://example.org") == "https://example.org"
    assert manifest.url_of("x" * 5000) == ""


def test_hashes_scripts_provenance_and_deprecation() -> None:
    assert manifest.integrity_of({"integrity": "sha512-x", "shasum": "00" * 20}) == "sha512-x"
    assert manifest.integrity_of({"shasum": "00" * 20}) == "sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA="
    assert manifest.integrity_of({"shasum": "zz" * 20}) == manifest.integrity_of({}) == ""
    assert manifest.has_install_script({"hasInstallScript": True})
    assert manifest.has_install_script({"scripts": {"postinstall": "node a"}})
    assert not manifest.has_install_script({"scripts": {"test": "x"}})
    kind = {"provenance": {"predicateType": "https://slsa.dev/provenance/v1"}}
    assert manifest.provenance_of({"attestations": kind}) == "https://slsa.dev/provenance/v1"
    assert manifest.deprecation_of({"deprecated": True}) == "deprecated"
    assert manifest.deprecation_of({"deprecated": "use b"}) == "use b"
    assert manifest.deprecation_of({"deprecated": False}) == ""


@given(ANY)
def test_any_value_is_read(value: Any) -> None:
    assert manifest.module_of({"exports": value, "main": value}) in {"esm", "cjs", "dual"}
    manifest.licence_of({"license": value, "licenses": value})
    manifest.keywords_of(value)
    manifest.binaries_of("a", value)
    manifest.url_of(value)
    manifest.has_install_script({"scripts": value})
    manifest.provenance_of({"attestations": value})
    manifest.deprecation_of({"deprecated": value})
