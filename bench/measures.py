"""What is measured: one list for both sides."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the table.

    Attributes:
        name: as given to ``--only``.
        command: the name of the measure within a side.
        count: how many blocks (or feeds) are worked on; rates are per one of them.
        bytes: size of one block.
        source: what must be prepared first (once for all rounds), as (command, count, bytes).
        seconds: which of the durations that the side reports.
        faster: the ratio to JavaScript we promise, or None.
        python_only: JavaScript has nothing like it.
        options: further arguments.
    """

    name: str
    command: str
    count: int
    bytes: int = 100
    source: tuple[str, int, int] | None = None
    seconds: str = "seconds"
    faster: float | None = None
    python_only: bool = False
    options: dict[str, object] = field(default_factory=dict)


SMALL = ("prepare", 53_000, 100)
LARGE = ("prepare", 4_000, 65_536)
MANY = ("prepareMany", 1_000, 0)

MEASURES = (
    Measure("batch-100", "batch", 50_000, faster=3),
    Measure("single-100", "single", 5_000, faster=2),
    Measure("single-full-100", "single", 1_000, python_only=True, options={"durability": "full"}),
    Measure("get-100", "get", 50_000, source=SMALL, faster=3.5),
    Measure("replicate-100", "replicate", 53_000, source=SMALL, faster=3),
    Measure(
        "replicate-tcp-100", "replicate", 53_000, source=SMALL, faster=3, options={"tcp": True}
    ),
    Measure("batch-64k", "batch", 2_000, bytes=65_536),
    Measure("replicate-64k", "replicate", 4_000, bytes=65_536, source=LARGE, faster=1.7),
    Measure(
        "replicate-tcp-64k",
        "replicate",
        4_000,
        bytes=65_536,
        source=LARGE,
        options={"tcp": True},
    ),
    Measure("many-open", "many", 1_000, source=MANY),
    Measure("many-replicate", "many", 1_000, source=MANY, seconds="replicate_seconds"),
)

MEMORY_RATIO_MAX = 0.4
"""Peak resident memory beside JavaScript's that we promise for small blocks."""


def scaled(number: int, scale: float) -> int:
    """Shrink a number of blocks or feeds, for a quick look."""
    return max(2, int(number * scale))
