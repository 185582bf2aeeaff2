"""docs/pkgstats.md is held to the code: records and their keys, features and weights, limits."""

from __future__ import annotations

import importlib
import re
from dataclasses import fields
from typing import get_args

import pytest

from pkgstats.records.model import Known, Record
from pkgstats.search.ranking import FEATURES
from pkgstats.trust import CORE_OF

from .repository import ROOT

TEXT = (ROOT / "docs" / "pkgstats.md").read_text("utf-8")
LIMITS = re.findall(r"^\|[^|]+\|[^|]+\| `([a-z_.]+)\.([A-Z_]+)` \|$", TEXT, re.MULTILINE)
COMMON_KEYS = {one.metadata["key"] for one in fields(Record) if "key" in one.metadata}


def record_row(record: type[Record]) -> str:
    """A line of the table of records."""
    keys = ", ".join(
        f"{one.metadata['key']} {one.name}"
        for one in fields(record)
        if one.metadata.get("key") not in {None, *COMMON_KEYS}
    )
    return f"| {record.type} | `{record.__name__}` | `{CORE_OF[record]}` | {keys} |"


def feature_row(name: str, weight: float, meaning: str) -> str:
    """A line of the table of features."""
    return f"| `{name}` | {weight:g} | {meaning} |"


@pytest.mark.parametrize("record", get_args(Known), ids=lambda record: record.__name__)
def test_every_record_stands_there_with_its_core_and_keys(record: type[Record]) -> None:
    assert record_row(record) in TEXT


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_every_feature_stands_there_with_its_weight(feature: tuple[str, float, str]) -> None:
    assert feature_row(*feature) in TEXT


def test_there_are_no_features_that_are_not() -> None:
    rows = re.findall(r"^\| `[a-z_]+` \| -?[\d.]+ \| .+ \|$", TEXT, re.MULTILINE)
    assert len(rows) == len(FEATURES)


@pytest.mark.parametrize(("module", "name"), LIMITS)
def test_every_limit_that_is_named_is_in_the_code(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(f"pkgstats.{module}"), name)


def test_limits_are_named() -> None:
    assert len(LIMITS) > 20
