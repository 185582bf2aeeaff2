from __future__ import annotations

import gc

import pytest

from pkgstats.collecting import begun


def watched(mark: object) -> bool:
    """Whether a collection would look at it."""
    return any(one is mark for one in gc.get_objects())


def test_what_is_there_at_the_start_is_passed_over_until_the_end() -> None:
    before: list[object] = [[]]
    with begun():
        assert not watched(before)
        later: list[object] = [[]]
        assert watched(later)
    assert watched(before)


def test_it_ends_with_an_error_too() -> None:
    with pytest.raises(RuntimeError), begun():
        raise RuntimeError
    assert gc.get_freeze_count() == 0
