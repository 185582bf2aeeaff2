"""A folder for a person to look around in: the bundled facts, and some packages told in full.

    .venv/bin/python -m tools.ground FOLDER && .venv/bin/pkgstats serve --offline --data FOLDER

Names, versions and monthly downloads are those of npm's list; dates, days, weeks and readmes are
made up, of each package its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pkgstats.group import Group
from pkgstats.indexer import now_ms
from pkgstats.listing import Row, index_records
from pkgstats.node import Node
from pkgstats.records import counts
from pkgstats.records.model import DayCounts, ReadmePart, Snapshot, VersionEvent, WeekCounts
from pkgstats.sample import begin

if TYPE_CHECKING:
    from pkgstats.records.model import Known

DAY_MS = 86_400_000
WEEK = 7
THURSDAY = 3
"""The first of January 1970, counted from Monday."""

SATURDAY = 5
SPAN = 420
"""Days of downloads that are told."""

WEEKS = 20
"""Weeks of downloads by version."""

README = """# {name}

{summary}. ![build](https://pictures.example/build.svg)

## Usage

Install it with `npm install {name}`; see [the examples](examples/first.js) and [below](#options).

```js
const first = require('{name}')
console.log(first({{ key: 'value' }})) // prints what it was given
```

## Options

| option | default | meaning |
|---|---|---|
| `key` | none | what it is called by |
| `live` | `true` | goes on for ever |

- [x] done
- [ ] not yet

## Licence

ISC
"""


class Made(NamedTuple):
    """A package of the ground."""

    name: str
    version: str
    downloads: int
    summary: str
    keywords: tuple[str, ...]
    dependencies: dict[str, str]


HYPER = (
    Made(
        "hypercore",
        "11.39.5",
        55_686,
        "Secure, distributed append-only log",
        ("append only", "log", "replication", "peer to peer"),
        {"b4a": "^1.1.0", "protomux": "^3.5.0", "hypercore-crypto": "^3.2.1"},
    ),
    Made(
        "hyperswarm",
        "4.17.2",
        50_451,
        "A distributed networking stack for connecting peers",
        ("dht", "peer to peer", "discovery"),
        {"b4a": "^1.3.1", "hyperdht": "^6.11.0"},
    ),
    Made(
        "hyperdht",
        "6.34.0",
        50_738,
        "The distributed hash table that lets peers find each other",
        ("dht", "kademlia", "hole punching"),
        {"compact-encoding": "^3.0.0"},
    ),
    Made(
        "random-access-file",
        "4.1.2",
        72_166,
        "Continuous reading or writing to a file using random offsets and lengths",
        ("random", "access", "file"),
        {"random-access-storage": "^3.0.0"},
    ),
    Made(
        "corestore",
        "7.12.5",
        44_116,
        "Manages many logs by one key",
        ("hypercore", "storage"),
        {"hypercore": "^11.0.0"},
    ),
    Made(
        "hyperbee",
        "2.27.3",
        45_290,
        "A sorted index on an append-only log",
        ("btree", "index", "hypercore"),
        {"hypercore": "^11.0.0", "b4a": "^1.6.0"},
    ),
)

OLD = Made("left-pad", "1.3.0", 5_532_379, "Fills a text up to a width", ("pad",), {})

MAINTAINER = "mafintosh"


POPULAR = {
    "semver": 2_400_000_000,
    "debug": 2_100_000_000,
    "strip-ansi": 1_700_000_000,
    "chalk": 1_700_000_000,
    "ms": 1_500_000_000,
    "@types/node": 1_000_000_000,
    "readable-stream": 1_000_000_000,
    "resolve": 650_000_000,
    "chokidar": 490_000_000,
}
"""Of these only days are told, about as many as in npm's list, so that there are some that rise."""


def lot(name: str) -> float:
    """A number from 0 to 1 of its own for each package, always the same."""
    return zlib.crc32(name.encode()) / 2**32


def days_of(name: str, downloads: int, today: int) -> list[int]:
    """Downloads of each of the last days: quiet weekends, and growth, much or little or none."""
    own = lot(name)
    rise, usual = own * 0.9 - 0.1, downloads / 30
    found = []
    for day in range(SPAN):
        weekend = (today - SPAN + day + THURSDAY) % WEEK >= SATURDAY
        wave = math.sin(day / (11 + 9 * own) + WEEK * own) / 15 + math.sin(day * (1 + own)) / 40
        level = 1 - rise * (1 - day / SPAN) + wave
        found.append(round(usual * level * (0.55 if weekend else 1.18)))
    return found


def day_counts(name: str, downloads: int, now: int) -> DayCounts:
    """Downloads by day, up to yesterday; of `OLD` a day is missing."""
    today = now // DAY_MS
    days = days_of(name, downloads, today)
    if name == OLD.name:
        days[SPAN - 33] = 0
    return DayCounts(
        observed_at=now,
        source="downloads",
        name=name,
        first_day=today - SPAN,
        span=SPAN,
        counts=counts.pack([days]),
    )


def week_counts(made: Made, now: int) -> list[WeekCounts]:
    """Which versions are taken, the last week first: those that come later take over."""
    today, versions = now // DAY_MS, versions_of(made)
    days = days_of(made.name, made.downloads, today)
    found = []
    for back in range(WEEKS):
        shares = [(number + 1) ** (2.5 - 2 * back / WEEKS) for number in range(len(versions))]
        last = SPAN - WEEK * back
        each = sum(days[last - WEEK : last]) / sum(shares)
        found.append(
            WeekCounts(
                observed_at=now,
                source="downloads",
                name=made.name,
                last_day=today - 1 - WEEK * back,
                versions={
                    version: max(1, round(each * share))
                    for version, share in zip(versions, shares, strict=True)
                },
            )
        )
    return found


def major_of(version: str) -> int:
    """The first number of a version."""
    return int(version.partition(".")[0])


def versions_of(made: Made) -> list[str]:
    """Some older versions, and the latest."""
    major = major_of(made.version)
    older = [f"{one}.{minor}.0" for one in range(max(0, major - 3), major) for minor in (0, 1, 2)]
    return [*older, made.version]


def facts_of(made: Made, now: int) -> dict[str, list[Known]]:
    """Everything about one package, by kind of core."""
    readme = README.format(name=made.name, summary=made.summary).encode()
    digest = hashlib.blake2b(readme, digest_size=32).digest()
    versions = versions_of(made)
    old = made is OLD
    latest, pause = 3 + int(60 * lot(made.name)), 20 + int(40 * lot(made.version))
    snapshot = Snapshot(
        observed_at=now,
        source="registry",
        name=made.name,
        version=made.version,
        modified=now - latest * DAY_MS,
        description=made.summary,
        keywords=made.keywords,
        licence="WTFPL" if old else "Apache-2.0",
        repository=f"git+https://code.example/{made.name}.git",
        homepage=f"https://{made.name}.example/",
        maintainers=("azer", "camwest") if old else (MAINTAINER,),
        dependencies=made.dependencies,
        engines={"node": ">=18"},
        types="none" if old else "own",
        unpacked=181_040,
        files=48,
        deprecated="use String.prototype.padStart()" if old else "",
        dist_tags={"latest": made.version, "next": f"{major_of(made.version) + 1}.0.0-0"},
        readme_hash=digest,
        readme_block=None,
        created=now - (1000 + int(2500 * lot(made.name))) * DAY_MS,
    )
    events = [
        VersionEvent(
            observed_at=now,
            source="registry",
            name=made.name,
            version=version,
            published=now - (latest + pause * (len(versions) - 1 - number)) * DAY_MS,
            unpacked=120_000 + 3000 * number,
            deprecated="has a leak" if number == 1 else "",
            publisher=MAINTAINER if not old else "stevemao",
        )
        for number, version in enumerate(versions)
    ]
    part = ReadmePart(observed_at=now, source="tarball", digest=digest, text=readme)
    return {
        "detail": [snapshot, *events],
        "days": [day_counts(made.name, made.downloads, now), *week_counts(made, now)],
        "readme": [part],
    }


async def make_ground(folder: Path) -> None:
    """A folder with all of it, indexed; nobody has it open."""
    now = now_ms()
    made = [*HYPER, OLD]
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nothing else runs yet
    async with Node(folder, Group.create(folder)) as node:
        await begin(node)
        writer = await node.write("pkgstats")
        rows = [Row(one.name, one.version, one.downloads, one.summary) for one in made]
        await writer.append(index_records(rows, observed_at=now, source="list"))
        for one in made:
            for records in facts_of(one, now).values():
                await writer.append(records)
        await writer.append([day_counts(name, usual, now) for name, usual in POPULAR.items()])
        await node.index()


if __name__ == "__main__":
    asyncio.run(make_ground(Path(sys.argv[1])))
