"""Answers made records: whatever is answered, what comes out can be written, or it is refused."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pkgstats.fake_npm import FakeNpm

from pkgstats.records.blocks import CONTENT_BYTES_MAX, decode_block, encode_block, encoded_size
from pkgstats.records.codec import content_hash
from pkgstats.records.model import README_BYTES_MAX, ReadmePart, Snapshot
from pkgstats.sources import facts
from pkgstats.sources.answers import Document
from pkgstats.sources.errors import AnswerError
from pkgstats.sources.tarball import TarballFacts

from .test_sources_fields import ANY

AT = 1_790_000_000_000


def document(value: dict[str, Any], at: int = AT) -> Document:
    return Document(value, at, {"status": "200", "etag": '"x"'})


def packument(**manifest: Any) -> dict[str, Any]:
    npm = FakeNpm()
    return npm.packument(npm.publish("@s/a", "1.2.3", **manifest))


def test_a_packument_becomes_a_snapshot() -> None:
    value = packument(
        description="d",
        keywords=["k"],
        license="MIT",
        repository={"url": "git+https://example.org/a.git"},
        homepage="https://example.org",
        dependencies={"b": "^1"},
        peerDependencies={"c": "*"},
        engines={"node": ">=18"},
        types="a.d.ts",
        type="module",
        bin="./cli.js",
        scripts={"postinstall": "node x"},
        dist={"attestations": {"provenance": {"predicateType": "https://slsa.dev/provenance/v1"}}},
        readme="# a",
        maintainers=("ada", "grace"),
    )
    found = facts.snapshot(document(value))
    assert (found.name, found.version, found.description) == ("@s/a", "1.2.3", "d")
    assert (found.keywords, found.licence, found.maintainers) == (("k",), "MIT", ("ada", "grace"))
    assert (found.repository, found.homepage) == (
        "git+https://example.org/a.git",
        "https://example.org",
    )
    assert (found.dependencies, found.peer_dependencies) == ({"b": "^1"}, {"c": "*"})
    assert (found.engines, found.types, found.module) == ({"node": ">=18"}, "own", "esm")
    assert (found.binaries, found.install_script) == (("a",), True)
    assert (found.files, found.dist_tags) == (3, {"latest": "1.2.3"})
    assert found.integrity.startswith("sha512-")
    assert found.provenance == "https://slsa.dev/provenance/v1"
    assert found.modified == found.created == 1_780_003_600_000
    assert found.readme_hash == hashlib.blake2b(b"# a", digest_size=32).digest()
    assert found.evidence == {"status": "200", "etag": '"x"', "rev": f"1-{'0' * 32}"}
    assert found.source == "registry"


def test_the_same_answer_later_says_nothing_new() -> None:
    value = packument()
    assert content_hash(facts.snapshot(document(value))) == content_hash(
        facts.snapshot(document(value, AT + 86_400_000))
    )


def test_versions_become_events() -> None:
    npm = FakeNpm()
    npm.publish("a", "1.0.0", maintainers=("ada",))
    package = npm.publish("a", "1.1.0", maintainers=("grace",))
    npm.deprecate("a", "use b")
    first, second = facts.version_events(document(npm.packument(package)))
    assert (first.version, first.publisher, first.deprecated) == ("1.0.0", "ada", "use b")
    assert (second.version, second.publisher) == ("1.1.0", "grace")
    assert second.published - first.published == 3_600_000
    assert first.integrity != ""
    assert first.unpacked == 26


def test_what_is_gone_becomes_a_tombstone() -> None:
    npm = FakeNpm()
    package = npm.publish("a")
    assert facts.tombstone(document(npm.packument(package))) is None
    npm.unpublish("a")
    found = facts.tombstone(document(npm.packument(package)))
    assert found is not None
    assert (found.name, found.version, found.reason) == ("a", None, "unpublished")
    npm.hold("a")
    held = facts.tombstone(document(npm.packument(npm.packages["a"])))
    assert held is not None
    assert held.reason == "security_held"
    assert facts.gone("a", AT).evidence == {"status": "404"}
    assert facts.tombstone(document({"name": "../a"})) is None


def test_a_manifest_alone_has_no_times() -> None:
    manifest = facts.latest_manifest(document(packument(description="d")))
    found = facts.manifest_snapshot(document(manifest))
    assert (found.modified, found.created, found.dist_tags) == (0, None, None)
    assert facts.manifest_snapshot(document(manifest), modified=AT).modified == AT
    later = AT + facts.LATER_MS
    assert facts.manifest_snapshot(document(manifest), modified=later).modified == later
    assert facts.manifest_snapshot(document(manifest), modified=later + 1).modified == 0


def test_a_tarball_says_what_the_manifest_leaves_out() -> None:
    value = packument(readme="")
    sizes = TarballFacts("# t", {}, 99, 5)
    found = facts.snapshot(document(value), tarball=sizes)
    assert found.unpacked == 16
    assert found.readme_hash == facts.readme_digest("# t")
    del value["versions"]["1.2.3"]["dist"]["unpackedSize"]
    found = facts.snapshot(document(value), tarball=sizes)
    assert (found.unpacked, found.files) == (99, 5)


def test_the_latest_version_is_the_tagged_one_or_the_last() -> None:
    value = packument()
    value["versions"] = {"2.0.0": {"version": "2.0.0"}, **value["versions"], "9.0.0": 5}
    assert facts.latest_manifest(document(value))["version"] == "1.2.3"
    value["dist-tags"] = {"latest": ["x"]}
    assert facts.latest_manifest(document(value))["version"] == "1.2.3"
    with pytest.raises(AnswerError, match="without versions"):
        facts.latest_manifest(document({"versions": {"1": 5}}))


def test_times_in_the_future_are_not_claimed() -> None:
    value = packument()
    value["time"] = {"modified": "2999-01-01T00:00:00Z", "1.2.3": "2999-01-01T00:00:00Z"}
    assert facts.snapshot(document(value)).modified == 0
    (event,) = facts.version_events(document(value))
    assert event.published == 0


@pytest.mark.parametrize("size", [0, 1, 48 << 10, (48 << 10) + 1, 300_000, README_BYTES_MAX + 9])
def test_long_readmes_come_in_parts(size: int) -> None:
    readme = "é" * (size // 2) + "x" * (size % 2)
    parts = facts.readme_parts(readme, AT, "tarball")
    data = b"".join(part.text for part in parts)
    assert data == readme.encode()[:README_BYTES_MAX]
    assert [part.part for part in parts] == list(range(len(parts)))
    assert {(part.parts, part.digest) for part in parts} == {
        (len(parts), facts.readme_digest(readme))
    }
    for part in parts:
        (again,) = decode_block(encode_block([part]))
        assert isinstance(again, ReadmePart)
        assert again == part


def test_no_readme_is_none() -> None:
    for said in (facts.NO_README, "  \n", "", None, 5):
        assert facts.readme_of(document({"readme": said})) is None
    assert facts.readme_of(document({"readme": "\ud800"})) == "?"


def test_huge_lists_are_cut_until_a_block_holds_them() -> None:
    many = {f"dependency-{number}": "^1.0.0" for number in range(9000)}
    tags = {f"tag-{number}": "1.0.0" for number in range(900)}
    value = packument(dependencies=many, keywords=[f"k{n}" * 50 for n in range(900)])
    value["dist-tags"] = {**tags, "latest": "1.2.3"}
    found = facts.snapshot(document(value))
    assert encoded_size(found) <= facts.SNAPSHOT_BYTES_MAX < CONTENT_BYTES_MAX
    assert found.dependencies is not None
    assert found.dependencies.items() <= many.items()
    assert found.dist_tags is not None
    assert found.dist_tags["latest"] == "1.2.3"
    encode_block([found])


FIELDS = {
    *("description", "keywords", "license", "repository", "homepage", "maintainers", "name"),
    *("dependencies", "peerDependencies", "engines", "exports", "main", "type", "bin", "scripts"),
    *("dist", "deprecated", "_npmUser", "version"),
}
MANIFESTS = st.fixed_dictionaries({}, optional=dict.fromkeys(sorted(FIELDS), ANY))
ROOTS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("time", "maintainers", "readme", "_rev", "dist-tags", "modified"), ANY),
)


@given(MANIFESTS, ROOTS, ANY, st.booleans())
def test_any_answer_makes_records_or_is_refused(
    manifest: dict[str, Any], root: dict[str, Any], version: Any, named: bool
) -> None:
    known = {"name": "a", "version": "1.0.0"} if named else {}
    value = {**root, "name": "a", "versions": {str(version)[:9]: {**manifest, **known}, "1": 5}}
    records: list[Any] = []
    try:
        records.append(facts.snapshot(document(value)))
    except AnswerError:
        assert not named
    records += facts.version_events(document(value))
    records += [one] if (one := facts.tombstone(document(value))) else []
    readme = facts.readme_of(document(value))
    records += facts.readme_parts(readme, AT, "registry") if readme else []
    for record in records:
        (again,) = decode_block(encode_block([record]))
        assert again == record
        assert not isinstance(again, Snapshot) or again.modified <= AT + facts.LATER_MS
