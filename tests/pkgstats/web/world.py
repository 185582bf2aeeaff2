"""Large packages, as the most used ones are: thousands of dependents, versions and days."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from tests.pkgstats.nodes import node

from pkgstats.group import Group
from pkgstats.listing import Row, index_records
from pkgstats.records import counts
from pkgstats.records.model import (
    DayCounts,
    Heartbeat,
    ReadmePart,
    Snapshot,
    VersionEvent,
    WeekCounts,
)

from .facts import DAY_MS, SEEN, TODAY

if TYPE_CHECKING:
    from pathlib import Path

    from pkgstats.records.model import Known

DAYS = 800
WEEKS = 30
VERSIONS = 1000
DEPENDENTS = 5000
NEEDS = 60

README = """# Giant

A **large** package for [everything](https://example.org/giant).

![logo](https://example.org/logo.png) ![other](docs/other.png)

## Install

```js
// an example
const giant = require("giant");
console.log(giant(42, { deep: true }));
```

## Options

| name | does | default |
|---|---|---|
| `deep` | looks at all of it, however long that takes | `false` |
| `wide` | and at what lies beside it | `true` |

## See also

* [the guide](docs/guide.md)
* [other packages](#install)

## Licence

MIT
"""

MAINTAINERS = ("ada", "grace", "linus-like-name", "a.very.long.user.name.with.dots", "x")

RELATIVES = {"tiny": 40_000, "small": 900_000, "medium": 9_000_000, "large-but-old": 2_500_000}
"""What the giant is compared with, and downloads a day."""


def world(dependents: int = DEPENDENTS) -> list[list[Known]]:
    """By kind of core: ``index``, ``detail``, ``days``, ``readme``."""
    names = [f"@giants/part-{n:04}" if n % 3 else f"giant-plugin-{n:04}" for n in range(dependents)]
    rows = [Row("giant", "19.4.999", 310_000_000, "Builds user interfaces of all sizes")]
    rows += [Row(name, "2.1.0", daily * 30, f"A {name} one") for name, daily in RELATIVES.items()]
    rows += [
        Row(name, f"1.{n % 40}.0", 9_000_000 // (n + 1), f"Part number {n} of what the giant does")
        for n, name in enumerate(names)
    ]
    digest = hashlib.blake2b(README.encode(), digest_size=32).digest()
    readme = ReadmePart(observed_at=SEEN, digest=digest, text=README.encode())
    rows.sort(key=lambda row: -row.downloads)
    return [
        [*index_records(rows, observed_at=SEEN, source="list")],
        [_giant(digest), *_relatives(), *_parts(names), *_versions()],
        [*_days(names), *_weeks()],
        [readme],
    ]


def _giant(digest: bytes) -> Snapshot:
    return Snapshot(
        observed_at=SEEN,
        source="registry",
        name="giant",
        version="19.4.999",
        modified=SEEN - 3 * DAY_MS,
        created=SEEN - 4900 * DAY_MS,
        description="Builds user interfaces of all sizes",
        keywords=("user interface", "components", "declarative", "virtual", "ui", "web", "native"),
        licence="MIT",
        repository="git+https://github.com/example/giant.git",
        homepage="https://giant.example.org/start",
        maintainers=MAINTAINERS,
        dependencies={f"@scope-{n % 7}/needed-{n}": f"^{n}.2.{n}" for n in range(NEEDS)},
        peer_dependencies={"small": ">=1 <3", "tiny": "*"},
        engines={"node": "^18.18.0 || >=20", "npm": ">=9"},
        types="@types",
        module="dual",
        binaries=("giant", "create-giant"),
        install_script=True,
        unpacked=7_345_678,
        files=412,
        integrity="sha512-" + "Ab3/" * 21 + "w==",
        provenance="https://slsa.dev/provenance/v1",
        dist_tags={"latest": "19.4.999", "next": "20.0.0-rc.3", "canary": "0.0.0-canary-2026"},
        readme_hash=digest,
        readme_block=0,
    )


def _relatives() -> list[Known]:
    return [
        Snapshot(
            observed_at=SEEN,
            name=name,
            version="2.1.0",
            modified=SEEN - number * 500 * DAY_MS,
            description=f"A {name} one",
            licence="MIT" if number % 2 else "(MIT OR Apache-2.0)",
            maintainers=("ada", "giants"),
            dependencies={"giant": "*"} if number else None,
            deprecated="use giant" if name == "large-but-old" else "",
            types="own" if number % 2 else "none",
            unpacked=10_000 * (number + 1),
        )
        for number, name in enumerate(RELATIVES)
    ]


def _parts(names: list[str]) -> list[Known]:
    return [
        Snapshot(
            observed_at=SEEN,
            name=name,
            version=f"1.{n % 40}.0",
            modified=SEEN - (n * 13 % 2000) * DAY_MS,
            maintainers=("giants",) if n % 2 else ("ada", "giants"),
            dependencies={"giant": "^19"},
            deprecated="no longer needed" if n % 17 == 0 else "",
            types="own" if n % 5 else "none",
        )
        for n, name in enumerate(names)
    ]


def _versions() -> list[Known]:
    return [
        VersionEvent(
            observed_at=SEEN,
            name="giant",
            version=f"{n // 50}.{n % 50 // 10}.{n}" + ("-beta.1" if n % 9 == 4 else ""),
            published=SEEN - (VERSIONS - n) * 5 * DAY_MS,
            publisher=MAINTAINERS[n % 3],
            unpacked=300_000 + 7000 * n,
            deprecated="a hole was found in it" if n % 90 == 7 else "",
        )
        for n in range(VERSIONS)
    ]


def _days(names: list[str]) -> list[Known]:
    """Weekends are quieter, all grows, and on two days nothing was counted at all."""
    usual = {"giant": 10_000_000, **RELATIVES}
    usual |= {name: 30_000 - 250 * n for n, name in enumerate(names[:100])}
    found: list[Known] = []
    for number, (name, daily) in enumerate(usual.items()):
        slope = (number * 3 % 7) - 2
        row = []
        for day in range(DAYS):
            quiet = 0.55 if (TODAY - DAYS + day + 3) % 7 >= 5 else 1.0
            grown = daily * (1 + slope * day / DAYS / 2)
            row.append(0 if day in (DAYS - 40, DAYS - 39) else int(grown * quiet))
        found += [
            DayCounts(
                observed_at=SEEN,
                source="downloads",
                name=name,
                first_day=TODAY - DAYS + start,
                span=400,
                counts=counts.pack([row[start : start + 400]]),
            )
            for start in range(0, DAYS, 400)
        ]
    return found


def _weeks() -> list[Known]:
    shares = {16: 9, 17: 14, 18: 30, 19: 12}
    return [
        WeekCounts(
            observed_at=SEEN,
            name="giant",
            last_day=TODAY - 1 - 7 * (WEEKS - week),
            versions={
                f"{n // 50}.{n % 50 // 10}.{n}": (shares.get(n // 50, 1) * 10_000)
                + (week * 40_000 if n // 50 == 19 else 0)
                for n in range(VERSIONS)
                if n % 9 != 4
            },
        )
        for week in range(WEEKS)
    ]


def make_world(folder: Path, dependents: int = DEPENDENTS) -> None:
    """A node's folder with these facts, indexed; nobody has it open."""

    async def make() -> None:
        async with node(folder, Group.create(folder), alone=True) as one:
            writer = await one.write("the giants' writer")
            for records in world(dependents):
                await writer.append(records)
            await writer.beat(Heartbeat(observed_at=SEEN, checked=120, rate=500))
            await one.index()

    asyncio.run(make())
