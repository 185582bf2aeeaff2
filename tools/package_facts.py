"""Make the file of facts that Pkg Stats ships, from a list of npm's packages.

    .venv/bin/python tools/package_facts.py LIST [COUNT]

LIST is tab-separated UTF-8 text whose first line names its columns; `name`, `version` and
`downloads_a_month` are taken, everything else is left out. The COUNT (20,000) most downloaded
packages are written. The same list gives the same file. A list of another day needs another
`OBSERVED_AT` in `pkgstats.dataset`.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from pkgstats.dataset import FILE, pack, unpack
from pkgstats.listing import Row

TARGET = Path(__file__).resolve().parent.parent / "packages/pkgstats/src/pkgstats/data" / FILE
COUNT = 20_000


def read_list(path: Path) -> list[Row]:
    """All packages of the list; `unpack` refuses what cannot be one."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(row["name"], row["version"], int(row["downloads_a_month"]))
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


def main(arguments: list[str]) -> None:
    """Read the list, write the file, say what is in it."""
    if len(arguments) not in {1, 2}:
        sys.exit((__doc__ or "").strip())
    count = int(arguments[1]) if len(arguments) == 2 else COUNT
    facts = sorted(read_list(Path(arguments[0])), key=lambda fact: (-fact.downloads, fact.name))
    packed = pack(facts[:count])
    unpack(packed)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(packed)
    print(
        f"{TARGET.name}: {len(facts[:count]):,} of {len(facts):,} packages, {len(packed):,} bytes"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
