from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from pkgstats import trust
from pkgstats.records.model import (
    CORES,
    Check,
    DayCounts,
    GroupList,
    Heartbeat,
    IndexRows,
    Known,
    Member,
    NamesBlock,
    ReadmePart,
    Retraction,
    Snapshot,
    Tombstone,
    VersionEvent,
    WeekCounts,
    WriterCard,
)
from pkgstats.records.names import WHOLE
from pkgstats.trust import Authority, authorities

G, A, B = b"G" * 32, b"a" * 32, b"b" * 32
A_INDEX, A_DAYS, B_INDEX = b"1" * 32, b"2" * 32, b"3" * 32


SAMPLES: list[Known] = [
    Snapshot(observed_at=0, name="a", version="1"),
    VersionEvent(observed_at=0, name="a", version="1"),
    DayCounts(observed_at=0, first_day=20_000, span=1, name="a", counts=b""),
    WeekCounts(observed_at=0, name="a", last_day=20_000, versions={}),
    Tombstone(observed_at=0, name="a", reason="mistake"),
    Check(observed_at=0, core=A, upto=5, root=B),
    Retraction(observed_at=0, core=A, block=3),
    IndexRows(observed_at=0, names=(), versions=(), downloads=(), summaries=()),
    NamesBlock(observed_at=0, names=()),
    ReadmePart(observed_at=0, digest=A, text=b""),
    WriterCard(observed_at=0, title="", cores={}),
    Heartbeat(observed_at=0),
    GroupList(observed_at=0, edition=1, members=()),
]
"""One of each kind."""


def listed(*members: Member) -> GroupList:
    return GroupList(observed_at=0, edition=1, members=members)


def card(**cores: bytes) -> WriterCard:
    return WriterCard(observed_at=0, title="", cores=cores)


def test_at_first_only_the_groups_own_feed_counts() -> None:
    assert authorities(G, None, {}) == {G: Authority(G, "meta", "owner")}


def test_the_list_names_writers_and_their_cards_name_feeds() -> None:
    found = authorities(G, listed(Member(key=A)), {A: card(index=A_INDEX), B: card(index=B_INDEX)})
    assert found == {
        G: Authority(G, "meta", "owner"),
        A: Authority(A, "meta", "crawler"),
        A_INDEX: Authority(A, "index", "crawler"),
    }


def test_my_own_writer_counts_as_the_list_says_or_as_a_crawler() -> None:
    assert authorities(G, None, {}, own=[A])[A].role == "crawler"
    watcher = listed(Member(key=A, role="watcher"))
    assert authorities(G, watcher, {}, own=[A])[A].role == "watcher"


def test_the_owner_may_be_a_writer_too() -> None:
    found = authorities(G, listed(Member(key=G)), {G: card(index=A_INDEX)})
    assert found == {G: Authority(G, "meta", "crawler"), A_INDEX: Authority(G, "index", "crawler")}


def test_a_revoked_writer_counts_up_to_its_bounds_and_not_where_none_is_named() -> None:
    revoked = listed(Member(key=A, until={"meta": 4, "index": 3}))
    found = authorities(G, revoked, {A: card(index=A_INDEX, days=A_DAYS)})
    assert (found[A].until, found[A_INDEX].until, found[A_DAYS].until) == (4, 3, 0)


def test_a_card_cannot_take_over_a_feed_of_an_earlier_member() -> None:
    cards = {A: card(index=A_INDEX), B: card(index=A_INDEX, days=A_DAYS, detail=A)}
    found = authorities(G, listed(Member(key=A), Member(key=B)), cards)
    assert found[A_INDEX].writer == A
    assert found[A_DAYS].writer == B
    assert found[A].kind == "meta"
    later = authorities(G, listed(Member(key=B), Member(key=A)), cards)
    assert later[A_INDEX].writer == B, "who was admitted first has it"


def test_of_a_member_that_is_named_twice_the_first_counts() -> None:
    found = authorities(G, listed(Member(key=A, role="notes"), Member(key=A)), {})
    assert found[A].role == "notes"


def test_notes_and_writers_who_are_set_aside_say_nothing_about_packages() -> None:
    notes = listed(Member(key=A, role="notes"), Member(key=B))
    cards = {A: card(index=A_INDEX), B: card(index=B_INDEX)}
    assert authorities(G, notes, cards, aside=[B]).keys() == {G, A, B}


@pytest.mark.parametrize("record", SAMPLES, ids=lambda one: one.letter)
def test_each_record_counts_in_one_kind_of_core(record: Known) -> None:
    kinds = {kind for kind in CORES if trust.refusal(Authority(A, kind, "crawler"), record) is None}
    assert kinds == {trust.CORE_OF[type(record)]}


def test_every_record_belongs_somewhere() -> None:
    assert trust.CORE_OF.keys() == {type(one) for one in SAMPLES} == set(get_args(Known))


def test_a_watcher_tells_of_single_packages() -> None:
    said = {
        record.letter
        for record in SAMPLES
        for kind in CORES[1:]
        if trust.refusal(Authority(A, kind, "watcher"), record) is None
    }
    assert said == {"P", "V", "D", "W"}
    many = DayCounts(observed_at=0, first_day=20_000, span=1, names_ref=A, counts=b"")
    assert trust.refusal(Authority(A, "days", "watcher"), many)
    whole = replace(many, names_ref=None, name=WHOLE)
    assert trust.refusal(Authority(A, "days", "watcher"), whole)
    assert trust.refusal(Authority(A, "days", "crawler"), whole) is None


def test_the_owners_feed_holds_lists_and_nothing_else() -> None:
    owner = Authority(G, "meta", "owner")
    assert trust.refusal(owner, Heartbeat(observed_at=0))
    assert trust.refusal(owner, listed()) is None
    assert trust.refusal(owner, Snapshot(observed_at=0, name="a", version="1"))


def test_notes_say_nothing_in_shared_cores() -> None:
    notes = Authority(A, "detail", "notes")
    assert trust.refusal(notes, Tombstone(observed_at=0, name="a", reason="mistake"))
    rows = IndexRows(observed_at=0, names=(), versions=(), downloads=(), summaries=())
    assert trust.refusal(Authority(A, "index", "notes"), rows)


@pytest.mark.parametrize(
    ("checked", "wrong", "aside"), [(99, 99, False), (100, 1, False), (100, 2, True), (0, 0, False)]
)
def test_a_writer_is_set_aside_above_one_error_in_a_hundred(
    checked: int, wrong: int, aside: bool
) -> None:
    assert trust.is_set_aside(checked, wrong) is aside
