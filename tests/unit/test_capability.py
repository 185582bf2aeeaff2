from __future__ import annotations

import pytest

from hypermultifeed.wire.capability import capability, remote_capability, verify_capability

ONE, TWO, KEY = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32


def test_both_sides_agree() -> None:
    assert capability(ONE, TWO, KEY) == remote_capability(TWO, ONE, KEY)
    assert verify_capability(capability(ONE, TWO, KEY), TWO, ONE, KEY)


@pytest.mark.parametrize(
    "proof",
    [
        None,
        b"",
        bytes(32),
        capability(TWO, ONE, KEY),  # our own, reflected
        capability(ONE, TWO, ONE),  # of another key
        capability(ONE, KEY, KEY),  # of another session
        capability(ONE, TWO, KEY)[:31],
        capability(ONE, TWO, KEY) + b"x",
    ],
)
def test_other_proofs_are_wrong(proof: bytes | None) -> None:
    assert not verify_capability(proof, TWO, ONE, KEY)
