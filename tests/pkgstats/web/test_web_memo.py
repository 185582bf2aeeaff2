"""Answers that are kept."""

from __future__ import annotations

import pytest

from pkgstats.web.memo import KEPT, Memo


def test_what_is_known_is_not_made_again() -> None:
    memo, made = Memo(), []

    def make() -> int:
        made.append(1)
        return len(made)

    assert [memo.get("a", make), memo.get("a", make), memo.get("b", make)] == [1, 1, 2]


def test_the_one_that_was_asked_for_least_recently_goes() -> None:
    memo = Memo()
    for number in range(KEPT):
        memo.get(number, lambda: "old")
    memo.get(0, lambda: "new")
    memo.get("one more", lambda: "old")
    assert memo.get(0, lambda: "new") == "old"
    assert memo.get(1, lambda: "new") == "new"


def test_an_error_is_no_answer() -> None:
    memo = Memo()
    with pytest.raises(ZeroDivisionError):
        memo.get("a", lambda: 1 // 0)
    assert memo.get("a", lambda: 2) == 2
