"""Counters."""

from __future__ import annotations

from hypermultifeed.replication.transfer_stats import TransferStats


def test_counters_add_up_name_by_name() -> None:
    total = TransferStats(uploaded_blocks=1, expired=5)
    total.add(TransferStats(uploaded_blocks=2, uploaded_bytes=30, refused=4))
    assert total == TransferStats(uploaded_blocks=3, uploaded_bytes=30, refused=4, expired=5)
