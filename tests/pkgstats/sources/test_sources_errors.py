"""The tree of errors is the one that is drawn."""

from __future__ import annotations

import re

from pkgstats.sources import errors


def test_the_drawn_tree_is_the_tree() -> None:
    drawn = re.findall(r"^ *[│├└─ ]*([A-Z]\w+Error)", errors.__doc__ or "", re.MULTILINE)
    found = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert set(drawn) == found
    assert all(issubclass(getattr(errors, name), errors.SourceError) for name in found)


def test_data_are_attributes() -> None:
    assert errors.MissingError("x", 404).status == 404
    assert errors.BusyError("x", 2.5).wait_s == 2.5
    assert errors.BudgetError("x", 7).until == 7
