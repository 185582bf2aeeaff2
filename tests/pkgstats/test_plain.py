from __future__ import annotations

import json

from pkgstats.plain import plain
from pkgstats.view.facts import ListingRow

from .records.samples import SAMPLES


def test_keys_are_hex_and_records_are_objects() -> None:
    row = ListingRow("a", "1", 2, "", 3, "here")
    told = plain({b"\x01\xff": [b"\x00", row], "x": (None, True, 1.5)})
    assert told["01ff"] == ["00", row._asdict()]
    assert told["x"] == [None, True, 1.5]


def test_every_record_can_be_said_in_json() -> None:
    for record in SAMPLES:
        told = json.loads(json.dumps(plain(record)))
        assert told["observed_at"] == record.observed_at
