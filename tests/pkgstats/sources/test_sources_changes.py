"""Following a registry's changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.pkgstats.fake_registry import faults

from pkgstats.sources.changes import FIRST, Changes, read_change, read_sequence, was_reset
from pkgstats.sources.errors import AddressError, AnswerError, StatusError

from .asking import Asking, asking


async def follow(one: Asking, sequence: str, limit: int) -> tuple[list[str], str]:
    names: list[str] = []
    while True:
        page = await one.changes.since(sequence, limit=limit)
        names += [change.name for change in page.changes]
        sequence = page.sequence
        if page.last:
            return names, sequence


async def test_changes_are_followed_page_by_page() -> None:
    async with asking() as one:
        for number in range(5):
            one.fake.npm.publish(f"p{number}")
        names, sequence = await follow(one, FIRST, 2)
        assert names == [f"p{number}" for number in range(5)]
        assert sequence == await one.changes.newest() == "5"
        one.fake.npm.publish("p1", "2.0.0")
        one.fake.npm.unpublish("p2")
        page = await one.changes.since(sequence)
        assert [(change.name, change.deleted) for change in page.changes] == [
            ("p1", False),
            ("p2", True),
        ]
        assert not page.reset
        assert (await one.changes.since(page.sequence)).changes == ()


async def test_a_sequence_that_begins_anew_is_seen() -> None:
    async with asking() as one:
        for version in range(4):
            one.fake.npm.publish("a", f"{version}.0.0")
        one.fake.npm.publish("b")
        one.fake.npm.reset_sequence()
        page = await one.changes.since("5")
        assert (page.reset, page.sequence) == (True, "2")
        names = await one.changes.names(limit=2)
        assert names.names == ("a", "b")
        one.fake.npm.publish("c")
        assert [change.name for change in (await one.changes.since("2")).changes] == ["c"]


async def test_a_sequence_that_is_not_known_any_more() -> None:
    async with asking() as one:
        one.fake.npm.publish("a")
        one.fake.script("/registry/_changes", faults.body(b"{}", 400), times=2)
        page = await one.changes.since("77-opaque")
        assert (page.reset, page.sequence) == (True, "1")
        with pytest.raises(StatusError):
            await one.changes.since(FIRST)


def test_sequences_are_opaque_but_for_going_back() -> None:
    assert was_reset("103", "7")
    assert was_reset("103-abc", "7-def")
    assert not was_reset("7", "7")
    assert not was_reset("abc", "7")
    assert read_sequence(7) == "7"
    assert read_sequence("7-x") == "7-x"
    for value in (None, "", True, "x" * 65, 10**70, 1.5):
        with pytest.raises(AnswerError):
            read_sequence(value)


async def test_all_names_come_once() -> None:
    async with asking() as one:
        wanted = sorted(f"p{number}" for number in range(11))
        for name in wanted:
            one.fake.npm.publish(name)
        found: list[str] = []
        after: str | None = ""
        while after is not None:
            page = await one.changes.names(after, limit=3)
            found += page.names
            after = page.after
        assert found == wanted


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"results": {}, "rows": {}, "last_seq": 1}',
        b'{"results": 5, "rows": 5}',
    ],
)
async def test_hostile_pages_are_refused(body: bytes) -> None:
    async with asking() as one:
        one.fake.script("/registry/", faults.body(body), times=2)
        with pytest.raises(AnswerError):
            await one.changes.since(FIRST)
        with pytest.raises(AnswerError):
            await one.changes.names()


async def test_pages_are_bounded_and_what_is_no_package_is_left_out() -> None:
    assert read_change({"id": "_design/app"}) is None
    assert read_change([]) is None
    change = read_change({"id": "a", "changes": "x", "deleted": 1})
    assert change is not None
    assert (change.revision, change.deleted) == ("", False)
    async with asking() as one:
        many = b"[" + b"1," * 10_000 + b"1]"
        body = b'{"results": %s, "rows": %s, "last_seq": 1}' % (many, many)
        one.fake.script("/registry/", faults.body(body), times=2)
        with pytest.raises(AnswerError):
            await one.changes.since(FIRST)
        with pytest.raises(AnswerError):
            await one.changes.names()


async def test_without_an_address_it_says_what_to_set() -> None:
    async with asking() as one:
        changes = Changes(one.client, replace(one.addresses, changes=None))
        for asked in (changes.newest(), changes.since(FIRST), changes.names()):
            with pytest.raises(AddressError, match="PKGSTATS_CHANGES"):
                await asked
