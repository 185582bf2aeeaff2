from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkgstats import dataset
from pkgstats.dataset import COLUMNS, DatasetError, pack, unpack
from pkgstats.listing import Row

FACTS = [Row("a", "1.0.0", 30), Row("b", "2.0.0", 20), Row("c", "3", 20)]


def packed(text: str) -> bytes:
    return gzip.compress(text.encode())


def test_facts_come_back_most_downloaded_first() -> None:
    assert unpack(pack(reversed(FACTS))) == FACTS


def test_the_same_facts_give_the_same_bytes() -> None:
    assert pack(FACTS) == pack(reversed(FACTS))


def test_the_file_that_ships_is_whole() -> None:
    facts = dataset.shipped()
    assert len(facts) == 20_000
    assert facts[0].downloads > facts[-1].downloads > 0
    assert "left-pad" in {fact.name for fact in facts}
    assert len(dataset.shipped_digest()) == 64


def test_the_shipped_facts_were_not_seen_before_they_were_true() -> None:
    """When some of the versions were published, as the registry tells."""
    published = {
        ("vite", "8.3.8"): datetime(2026, 11, 11, tzinfo=UTC),
        ("@anthropic-ai/sdk", "1.10.0"): datetime(2026, 11, 17, tzinfo=UTC),
    }
    shipped = {(fact.name, fact.version) for fact in dataset.shipped()}
    assert shipped >= published.keys(), "another edition has another day"
    seen = datetime.fromtimestamp(dataset.OBSERVED_AT / 1000, UTC)
    assert max(published.values()) <= seen


def test_packing_the_shipped_facts_again_changes_nothing() -> None:
    assert gzip.decompress(pack(dataset.shipped())) == gzip.decompress(dataset._shipped_file())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cut off"),
        (b"plain text", "not gzip"),
        (pack(FACTS)[:-9], "cut off"),
        (pack(FACTS)[:-8] + bytes(8), "damaged"),
        (pack(FACTS) + b"more", "too much"),
        (gzip.compress(b"\xff"), "not UTF-8"),
        (packed("other\tcolumns\n"), "line 1"),
        (packed(f"{COLUMNS}\na\t1\t1"), "last line is cut off"),
        (packed(f"{COLUMNS}"), "last line is cut off"),
        (packed(f"{COLUMNS}\na\t1\n"), "line 2: a name, a version and a number"),
        (packed(f"{COLUMNS}\na\t1\t-1\n"), "line 2: a name, a version and a number"),
        (packed(f"{COLUMNS}\na\t1\t{'9' * 5000}\n"), "line 2: the number is too large"),
        (packed(f"{COLUMNS}\na\t1\t9999999999999999\n"), "line 2: no number"),
        (packed(f"{COLUMNS}\na\t1\t1\n\t1\t1\n"), "line 3: no name"),
        (packed(f"{COLUMNS}\na\t{'1' * 257}\t1\n"), "line 2: no text"),
        (packed(f"{COLUMNS}\na\t1\t1\nb\t1\t2\n"), "line 3: b has more downloads"),
        (packed(f"{COLUMNS}\na\t1\t1\na\t1\t1\n"), "line 3: a was there before"),
    ],
)
def test_a_damaged_file_says_where(data: bytes, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        unpack(data)


def test_a_file_beyond_the_limits_is_refused_before_it_costs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bomb = gzip.compress(bytes(100_000))
    monkeypatch.setattr(dataset, "TEXT_BYTES_MAX", 10_000)
    with pytest.raises(DatasetError, match="too much"):
        unpack(bomb)
    monkeypatch.setattr(dataset, "PACKED_BYTES_MAX", 10)
    with pytest.raises(DatasetError, match="more than 10"):
        unpack(bomb)
    with pytest.raises(DatasetError, match="at most 10"):
        pack(FACTS)


@settings(max_examples=50)
@given(st.binary(max_size=200) | st.text(max_size=100).map(packed))
def test_any_bytes_are_facts_or_a_dataset_error(data: bytes) -> None:
    try:
        unpack(data)
    except DatasetError:
        return
    pytest.fail("random bytes were taken for facts")
