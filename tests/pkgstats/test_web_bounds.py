from __future__ import annotations

import pytest

from pkgstats.web.bounds import BadRequestError, whole_number


@pytest.mark.parametrize(("text", "wanted"), [(None, 20), ("", 20), ("1", 1), ("007", 7), ("9", 9)])
def test_a_number_within_its_bounds(text: str | None, wanted: int) -> None:
    asked = {} if text is None else {"size": text}
    assert whole_number(asked, "size", 20, 9) == wanted


@pytest.mark.parametrize("text", ["0", "10", "-1", "1.0", " 1", "1e3", "٣", "²", "1" * 5000, "x"])
def test_all_else_is_refused_with_what_is_meant(text: str) -> None:
    with pytest.raises(BadRequestError, match="size is a whole number from 1 to 9"):
        whole_number({"size": text}, "size", 20, 9)
