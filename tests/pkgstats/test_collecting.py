from __future__ import annotations

import gc

import pytest

from pkgstats.collecting import YOUNG_MAX, begun


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


def test_meanwhile_new_objects_are_looked_through_less_often() -> None:
    before = gc.get_threshold()
    with begun():
        assert gc.get_threshold()[0] == YOUNG_MAX
    assert gc.get_threshold() == before


def test_it_ends_with_an_error_too() -> None:
    before = gc.get_threshold()
    with pytest.raises(RuntimeError), begun():
        raise RuntimeError
    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == before
