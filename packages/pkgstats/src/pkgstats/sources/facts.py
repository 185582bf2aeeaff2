"""Answers of a registry made records: latest manifest, versions, what is gone, readmes. Pure.

What an answer leaves out is not claimed: a thin mirror's records have no maintainers, no
deprecation and no time of modification, and say ``mirror`` as their source.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from pkgstats.records.blocks import encoded_size
from pkgstats.records.model import (
    README_BYTES_MAX,
    README_PART_BYTES,
    SUMMARY,
    VERSION,
    WORD,
    ReadmePart,
    Snapshot,
    Tombstone,
    VersionEvent,
)
from pkgstats.records.names import is_package_name
from pkgstats.sources.errors import AnswerError
from pkgstats.sources.fields import mapping, moment, number, pairs, people, text, word
from pkgstats.sources.manifest import (
    binaries_of,
    deprecation_of,
    has_install_script,
    integrity_of,
    keywords_of,
    licence_of,
    module_of,
    provenance_of,
    types_of,
    url_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pkgstats.sources.answers import Document
    from pkgstats.sources.tarball import TarballFacts

SNAPSHOT_BYTES_MAX: Final = 48 << 10
"""Of one snapshot; longer lists are cut."""

LATER_MS: Final = 600_000
"""A modification so much later than it was seen is not believed; readers refuse it."""

NO_README: Final = "ERROR: No README data found!"
"""What registries write for none."""

HOLDER: Final = "security-holder"
HELD_VERSION: Final = "0.0.1-security"
LISTS: Final = (
    "keywords",
    "maintainers",
    "dependencies",
    "peer_dependencies",
    "engines",
    "binaries",
    "dist_tags",
)


def source_of(document: Document) -> str:
    """``registry``, or ``mirror`` for a packument that lacks what registries always have."""
    value = document.value
    whole = "modified" in mapping(value.get("time")) or "modified" in value
    return "registry" if whole or value.get("maintainers") else "mirror"


def evidence_of(document: Document) -> dict[str, str]:
    """Of the answer: its status, its etag, the registry's revision."""
    revision = word(document.value.get("_rev"), 256)
    return {**document.evidence, **({"rev": revision} if revision else {})}


def latest_manifest(document: Document) -> dict[str, Any]:
    """The manifest of the latest version of a packument.

    Raises:
        AnswerError: it has no versions.
    """
    versions = mapping(document.value.get("versions"))
    latest = mapping(document.value.get("dist-tags")).get("latest")
    found = versions.get(latest) if isinstance(latest, str) else None
    if not isinstance(found, dict):
        found = next((one for one in reversed(versions.values()) if isinstance(one, dict)), None)
    if found is None:
        raise AnswerError("a packument without versions")
    return found


def snapshot(
    document: Document, *, tarball: TarballFacts | None = None, readme: str | None = None
) -> Snapshot:
    """The latest version as a packument has it.

    Args:
        document: full, abbreviated, or a mirror's.
        tarball: what else its tarball says: sizes, if the manifest lacks them, and the readme.
        readme: the readme that counts, else the packument's or the tarball's.

    Raises:
        AnswerError: it names no package or no version.
    """
    value, manifest = document.value, latest_manifest(document)
    times = mapping(value.get("time"))
    modified = moment(times.get("modified") or value.get("modified"))
    found = manifest_snapshot(document, manifest, modified=modified, tarball=tarball)
    text_of = readme or readme_of(document) or (tarball.readme if tarball else None)
    return fitted(
        replace(
            found,
            maintainers=people(value.get("maintainers"), WORD.bytes_max, 512) or found.maintainers,
            dist_tags=dist_tags(value.get("dist-tags")),
            readme_hash=readme_digest(text_of) if text_of else None,
            created=moment(times.get("created")) or None,
            source=source_of(document),
            evidence=evidence_of(document),
        )
    )


def manifest_snapshot(
    document: Document,
    manifest: dict[str, Any] | None = None,
    *,
    modified: int | None = None,
    tarball: TarballFacts | None = None,
) -> Snapshot:
    """The latest version as its manifest alone has it (`Registry.latest`).

    Args:
        document: the answer.
        manifest: if it is not the answer itself.
        modified: when the package was modified, ms since 1970, if known; a manifest does not
            say it, though the answer's ``last-modified`` may.
        tarball: as `snapshot`.

    Raises:
        AnswerError: it names no package or no version.
    """
    said = document.value if manifest is None else manifest
    name, version = said.get("name"), word(said.get("version"), VERSION.bytes_max)
    if not isinstance(name, str) or not is_package_name(name) or not version:
        raise AnswerError("a manifest without a name or a version")
    dist = mapping(said.get("dist"))
    unpacked, files = number(dist.get("unpackedSize")), number(dist.get("fileCount"))
    if tarball is not None and unpacked is None:
        unpacked, files = tarball.unpacked, tarball.files
    at = document.modified if modified is None else modified
    return fitted(
        Snapshot(
            observed_at=document.observed_at,
            source=source_of(document),
            evidence=document.evidence,
            name=name,
            version=version,
            modified=at if at <= document.observed_at + LATER_MS else 0,
            description=text(said.get("description"), SUMMARY.bytes_max),
            keywords=keywords_of(said.get("keywords")),
            licence=licence_of(said),
            repository=url_of(said.get("repository")),
            homepage=url_of(said.get("homepage")),
            maintainers=people(said.get("maintainers"), WORD.bytes_max, 512),
            dependencies=pairs(said.get("dependencies"), 214, 1024, 4096),
            peer_dependencies=pairs(said.get("peerDependencies"), 214, 1024, 4096),
            engines=pairs(said.get("engines"), 64, 256, 32),
            types=types_of(said),
            module=module_of(said),
            binaries=binaries_of(name, said.get("bin")),
            install_script=has_install_script(said),
            unpacked=unpacked,
            files=files,
            integrity=integrity_of(dist),
            provenance=provenance_of(dist),
            deprecated=deprecation_of(said),
        )
    )


def version_events(document: Document) -> Iterator[VersionEvent]:
    """Each version of a packument, in its order.

    Raises:
        AnswerError: it names no package.
    """
    name, source, evidence = document.value.get("name"), source_of(document), evidence_of(document)
    if not isinstance(name, str) or not is_package_name(name):
        raise AnswerError("a packument without a name")
    times = mapping(document.value.get("time"))
    for version, manifest in mapping(document.value.get("versions")).items():
        if not word(version, VERSION.bytes_max) or not isinstance(manifest, dict):
            continue
        published, dist = moment(times.get(version)), mapping(manifest.get("dist"))
        yield VersionEvent(
            observed_at=document.observed_at,
            source=source,
            evidence=evidence,
            name=name,
            version=version,
            published=published if published <= document.observed_at + LATER_MS else 0,
            integrity=integrity_of(dist),
            unpacked=number(dist.get("unpackedSize")),
            deprecated=deprecation_of(manifest),
            publisher=word(mapping(manifest.get("_npmUser")).get("name"), WORD.bytes_max),
        )


def tombstone(document: Document) -> Tombstone | None:
    """Of a packument that says that it was unpublished, or is held for security; else None."""
    value = document.value
    name = value.get("name")
    if not isinstance(name, str) or not is_package_name(name):
        return None
    reason: Literal["unpublished", "security_held"] | None = None
    if mapping(value.get("time")).get("unpublished") and not value.get("versions"):
        reason = "unpublished"
    elif is_held(document):
        reason = "security_held"
    if reason is None:
        return None
    return Tombstone(
        observed_at=document.observed_at,
        source="registry",
        evidence=evidence_of(document),
        name=name,
        reason=reason,
    )


def gone(name: str, observed_at: int, status: int = 404) -> Tombstone:
    """Of a package that was there and is not any more (a `MissingError`)."""
    return Tombstone(
        observed_at=observed_at,
        source="registry",
        evidence={"status": str(status)},
        name=name,
        reason="unpublished",
    )


def is_held(document: Document) -> bool:
    """Whether the latest version is the registry's security holding package."""
    try:
        manifest = latest_manifest(document)
    except AnswerError:
        return False
    held = manifest.get("version") == HELD_VERSION
    return held and HOLDER in url_of(manifest.get("repository"))


def readme_of(document: Document) -> str | None:
    """The readme in a packument; None if it has none, as most have by now."""
    found = document.value.get("readme")
    if not isinstance(found, str) or not found.strip() or found == NO_README:
        return None
    return cut_readme(found)


def cut_readme(readme: str) -> str:
    """A readme cut to 512 kB."""
    data = readme[:README_BYTES_MAX].encode(errors="replace")
    return data[:README_BYTES_MAX].decode(errors="ignore")


def readme_digest(readme: str) -> bytes:
    """What snapshots call a readme by: BLAKE2b-256 of its UTF-8."""
    data = cut_readme(readme).encode()
    return hashlib.blake2b(data, digest_size=32).digest()


def readme_parts(readme: str, observed_at: int, source: str) -> list[ReadmePart]:
    """A readme as records; ``source`` is ``registry`` or ``tarball``."""
    data = cut_readme(readme).encode()
    starts = range(0, len(data) or 1, README_PART_BYTES)
    return [
        ReadmePart(
            observed_at=observed_at,
            source=source,
            digest=readme_digest(readme),
            part=part,
            parts=len(starts),
            text=data[start : start + README_PART_BYTES],
        )
        for part, start in enumerate(starts)
    ]


def fitted(found: Snapshot) -> Snapshot:
    """A snapshot that fits into a block: its longest list is cut in half until it does."""
    while encoded_size(found) > SNAPSHOT_BYTES_MAX:
        longest = max(LISTS, key=lambda name: len(str(getattr(found, name) or "")))
        value = getattr(found, longest)
        kept = list(value)[: len(value) // 2]
        cut = {key: value[key] for key in kept} if isinstance(value, dict) else tuple(kept)
        change: dict[str, Any] = {longest: cut}
        found = replace(found, **change)
    return found


def dist_tags(value: Any) -> dict[str, str] | None:
    """The tags; ``latest`` stays however many there are."""
    found = pairs(value, WORD.bytes_max, VERSION.bytes_max, 255) or {}
    latest = word(mapping(value).get("latest"), VERSION.bytes_max)
    return {**({"latest": latest} if latest else {}), **found} or None
