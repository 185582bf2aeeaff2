from __future__ import annotations

import pytest

from pkgstats.facts import (
    DOWNLOADS_MAX,
    NAME_CHARACTERS_MAX,
    PackageFact,
    fact_from_value,
    package_fact,
)


def test_a_fact_goes_through_its_feed_value() -> None:
    fact = package_fact("@scope/name", "1.0.0-beta+1", DOWNLOADS_MAX)
    assert (
        fact_from_value(fact.to_value())
        == fact
        == PackageFact("@scope/name", "1.0.0-beta+1", DOWNLOADS_MAX)
    )


@pytest.mark.parametrize(
    "name",
    ["", "with space", "tab\there", "\x1b[31mred", "x" * (NAME_CHARACTERS_MAX + 1), None, b"a"],
)
def test_what_is_no_name(name: object) -> None:
    with pytest.raises(ValueError, match="not a package name"):
        package_fact(name, "1.0.0", 1)


@pytest.mark.parametrize("downloads", [-1, DOWNLOADS_MAX + 1, 1.0, "1", True, None])
def test_what_is_no_count(downloads: object) -> None:
    with pytest.raises(ValueError, match="not a count"):
        package_fact("a", "1.0.0", downloads)


@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        [],
        {},
        {"name": "a", "version": "1"},
        {"name": "a", "version": "1", "downloads": 1, "x": 1},
    ],
)
def test_what_is_no_fact(value: object) -> None:
    with pytest.raises(ValueError, match="not a package fact"):
        fact_from_value(value)


def test_messages_are_short_and_safe_for_a_terminal() -> None:
    with pytest.raises(ValueError, match="not a version") as caught:
        package_fact("a", "\x1b[2J" * 10_000, 1)
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()
