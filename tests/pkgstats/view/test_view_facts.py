from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from pkgstats.records.model import Snapshot
from pkgstats.view.facts import Details

from .world import NOW, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from pkgstats.view.reading import View

FULL = Snapshot(
    observed_at=NOW,
    name="x",
    version="1",
    modified=NOW - 5,
    created=7,
    keywords=("k", "l"),
    maintainers=("ada",),
    licence="ISC",
    deprecated="use y",
    types="own",
    module="dual",
    dependencies={"y": "1", "z": "2"},
)


def test_details_are_what_the_manifest_says(told: Callable[[], View], world: World) -> None:
    plain = Snapshot(observed_at=NOW, name="plain", version="1")
    world.say("a", FULL, plain)
    found = told().details_of(["x", "plain", "nobody"])
    assert found.keys() == {"x", "plain"}
    for record in (FULL, plain):
        for name in Details._fields:
            said = getattr(record, name)
            expected = tuple(said or ()) if name == "dependencies" else said
            if name == "modified":
                expected = said or NOW
            assert getattr(found[record.name], name) == expected


def test_details_are_named_as_in_the_manifest() -> None:
    assert set(Details._fields) <= {one.name for one in fields(Snapshot)}
