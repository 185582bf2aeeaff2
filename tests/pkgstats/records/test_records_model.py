from __future__ import annotations

from dataclasses import fields
from typing import get_args

from pkgstats.records.model import Known

from .samples import SAMPLES


def test_each_kind_has_a_number_and_a_letter_of_its_own() -> None:
    kinds = get_args(Known)
    assert len({one.type for one in kinds}) == len({one.letter for one in kinds}) == len(kinds)
    assert {type(one) for one in SAMPLES} == set(kinds)


def test_no_two_fields_of_a_record_have_one_number() -> None:
    for kind in get_args(Known):
        numbers = [one.metadata["key"] for one in fields(kind) if "key" in one.metadata]
        assert len(set(numbers)) == len(numbers)
        assert not {0, 1} & set(numbers)
