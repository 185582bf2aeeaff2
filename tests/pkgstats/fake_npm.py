"""What the fake registry knows: packages, tarballs, counts of downloads, changes.

No sockets here. `FakeNpm.publish` and its neighbours change the world; the rest gives the documents
that a registry answers with, in the form that registries have.
"""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

DAY_ZERO = date(1970, 1, 1)
HOUR_MS = 3_600_000
PUBLISHED = 1_780_000_000_000
"""When the first package was published, ms; each change comes an hour after the one before."""


def day_text(day: int) -> str:
    return (DAY_ZERO + timedelta(days=day)).isoformat()


def day_number(text: str) -> int:
    return (date.fromisoformat(text) - DAY_ZERO).days


def time_text(at: int) -> str:
    """Milliseconds as registries write them."""
    moment = datetime.fromtimestamp(at // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


def tarball(files: dict[str, bytes], *, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A package's archive as `npm pack` makes it; the same files give the same bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=form, compresslevel=1) as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(f"package/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return bytes(out.getvalue())


@dataclass
class Package:
    """One package: the manifests of its versions, and what stands beside them."""

    name: str
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    maintainers: list[str] = field(default_factory=list)
    readme: str = ""
    revision: int = 0
    modified: int = 0
    unpublished: int | None = None

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha1(f"{self.name} {self.revision}".encode()).hexdigest()}"'  # noqa: S324


class FakeNpm:
    """A registry's whole knowledge, changed by the test, deterministic."""

    def __init__(self, *, today: int = 20_700) -> None:
        self.packages: dict[str, Package] = {}
        self.tarballs: dict[str, bytes] = {}
        self.counts: dict[str, dict[int, int]] = {}
        self.week_counts: dict[str, dict[str, int]] = {}
        self.today = today
        """The day it is, counted from 1970; its downloads, and all later ones, read 0."""
        self.zero_days: set[int] = set()
        """Days that read 0 for everything until they are taken out again: outages."""
        self.changes: list[tuple[int, str, str, bool]] = []
        self.sequence = 0
        self.clock = PUBLISHED
        self.url = ""

    # What a test does to the world

    def publish(
        self,
        name: str,
        version: str = "1.0.0",
        *,
        readme: str = "# read me\n",
        maintainers: tuple[str, ...] = ("ada",),
        files: dict[str, bytes] | None = None,
        at: int | None = None,
        **manifest: Any,
    ) -> Package:
        """Publish a version, the new ``latest``. What is named besides goes into the manifest."""
        package = self.packages.setdefault(name, Package(name))
        self.clock = max(self.clock + HOUR_MS, at or 0)
        when = self.clock if at is None else at
        package.unpublished = None
        package.maintainers = list(maintainers)
        package.readme = readme
        package.tags["latest"] = version
        package.times[version] = when
        content = {"package.json": b"{}", "index.js": b"exports.x = 1\n", **(files or {})}
        if readme and not any(path.lower().startswith("readme") for path in content):
            content["README.md"] = readme.encode()
        package.versions[version] = self._manifest(package, version, content, manifest)
        self._changed(package, when)
        return package

    def publish_many(self, name: str, count: int, **manifest: Any) -> Package:
        """Give a package many versions at once, of one tarball: ``0.0.1`` to ``0.0.COUNT``."""
        package = self.publish(name, "0.0.1", **manifest)
        for number in range(2, count + 1):
            version = f"0.0.{number}"
            package.versions[version] = {**package.versions["0.0.1"], "version": version}
            package.times[version] = self.clock + number
            package.tags["latest"] = version
        self._changed(package, self.clock + count)
        return package

    def deprecate(self, name: str, message: str) -> None:
        """Deprecate all versions."""
        package = self.packages[name]
        for manifest in package.versions.values():
            manifest["deprecated"] = message
        self.clock += HOUR_MS
        self._changed(package, self.clock)

    def unpublish(self, name: str) -> None:
        """Take a package away; its document says so for ever."""
        package = self.packages[name]
        self.clock += HOUR_MS
        package.unpublished = self.clock
        self._changed(package, self.clock, gone=True)

    def hold(self, name: str) -> None:
        """Replace a package by a security holding package."""
        self.packages.pop(name, None)
        self.publish(
            name,
            "0.0.1-security",
            description="security holding package",
            repository={"type": "git", "url": "npm/security-holder"},
            maintainers=("npm",),
        )

    def count(self, name: str, first_day: int, counts: list[int]) -> None:
        """Downloads of a package, day by day."""
        days = self.counts.setdefault(name, {})
        days.update({first_day + place: value for place, value in enumerate(counts)})

    def reset_sequence(self) -> None:
        """Number all changes anew from 1, as registries did in 2016 and 2021."""
        newest = {name: (name, revision, gone) for _, name, revision, gone in self.changes}
        self.changes = [(at, *one) for at, one in enumerate(newest.values(), 1)]
        self.sequence = len(self.changes)

    # What it answers

    def packument(self, package: Package) -> dict[str, Any]:
        """The full document."""
        if package.unpublished is not None:
            gone = {"name": package.maintainers[0], "time": time_text(package.unpublished)}
            times = {"created": time_text(min(package.times.values())), "unpublished": gone}
            return {"_id": package.name, "name": package.name, "time": times}
        latest = package.versions[package.tags["latest"]]
        root: dict[str, Any] = {
            key: latest[key]
            for key in ("description", "keywords", "license", "homepage", "repository")
            if key in latest
        }
        return {
            "_id": package.name,
            "_rev": f"{package.revision}-{'0' * 32}",
            "name": package.name,
            **root,
            "dist-tags": package.tags,
            "versions": package.versions,
            "time": self._times(package),
            "maintainers": people(package.maintainers),
            "readme": package.readme or "ERROR: No README data found!",
            "readmeFilename": "README.md" if package.readme else "",
        }

    def abbreviated(self, package: Package) -> dict[str, Any]:
        """The document for installing: no description, keywords, readme, time."""
        kept = {"name", "version", "deprecated", "dependencies", "peerDependencies", "bin", "dist"}
        kept |= {"engines", "hasInstallScript"}
        versions = {
            version: {key: manifest[key] for key in kept if key in manifest}
            for version, manifest in package.versions.items()
        }
        return {
            "name": package.name,
            "modified": time_text(package.modified),
            "dist-tags": package.tags,
            "versions": versions,
        }

    def thin_packument(self, package: Package) -> dict[str, Any]:
        """The document of a mirror that keeps little more than is needed to install."""
        return {
            "_id": package.name,
            "name": package.name,
            "dist-tags": package.tags,
            "versions": {
                version: self.thin_manifest(manifest)
                for version, manifest in package.versions.items()
            },
            "time": {version: time_text(at) for version, at in package.times.items()},
        }

    def thin_manifest(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """A manifest of such a mirror."""
        gone = {"_npmUser", "maintainers", "deprecated", "dist", "hasInstallScript"}
        kept = {key: value for key, value in manifest.items() if key not in gone}
        dist = {key: manifest["dist"][key] for key in ("integrity", "shasum", "tarball")}
        return {**kept, "dist": dist}

    def found(self, package: Package) -> dict[str, Any]:
        """One hit of a search; the details have been 1 since the scores were retired."""
        latest = package.versions[package.tags["latest"]]
        about = {
            "name": package.name,
            "version": latest["version"],
            "description": latest.get("description", ""),
            "keywords": latest.get("keywords", []),
            "date": time_text(package.modified),
            "license": latest.get("license", ""),
            "links": {},
            "publisher": people(package.maintainers)[0],
            "maintainers": people(package.maintainers),
        }
        detail = {"quality": 1, "popularity": 1, "maintenance": 1}
        return {
            "package": about,
            "score": {"final": 1, "detail": detail},
            "downloads": {"monthly": self.total(package.name, self.today - 30, self.today - 1)},
            "searchScore": 1,
        }

    def total(self, name: str, first: int, last: int) -> int:
        return sum(self.on(name, day) for day in range(first, last + 1))

    def on(self, name: str, day: int) -> int:
        """Downloads that a package is said to have had on a day."""
        if day >= self.today or day in self.zero_days:
            return 0
        return self.counts.get(name, {}).get(day, 0)

    # Within

    def _manifest(
        self, package: Package, version: str, files: dict[str, bytes], manifest: dict[str, Any]
    ) -> dict[str, Any]:
        data = tarball(files)
        path = f"/{package.name}/-/{package.name.rpartition('/')[2]}-{version}.tgz"
        self.tarballs[path] = data
        digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
        dist = {
            "integrity": f"sha512-{digest}",
            "shasum": hashlib.sha1(data).hexdigest(),  # noqa: S324 - what registries call it by
            "tarball": f"{self.url}{path}",
            "fileCount": len(files),
            "unpackedSize": sum(map(len, files.values())),
        }
        return {
            "name": package.name,
            "version": version,
            "_id": f"{package.name}@{version}",
            "_npmUser": people(package.maintainers)[0],
            "maintainers": people(package.maintainers),
            **manifest,
            "dist": {**dist, **manifest.get("dist", {})},
        }

    def _changed(self, package: Package, at: int, *, gone: bool = False) -> None:
        package.revision += 1
        package.modified = max(package.modified, at)
        self.sequence += 1
        revision = f"{package.revision}-{'0' * 32}"
        self.changes = [one for one in self.changes if one[1] != package.name]
        self.changes.append((self.sequence, package.name, revision, gone))

    def _times(self, package: Package) -> dict[str, str]:
        times = {version: time_text(at) for version, at in package.times.items()}
        created = time_text(min(package.times.values()))
        return {"created": created, "modified": time_text(package.modified), **times}


def people(names: list[str]) -> list[dict[str, str]]:
    return [{"name": name, "email": f"{name}@example.org"} for name in names]
