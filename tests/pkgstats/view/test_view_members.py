from __future__ import annotations

from typing import TYPE_CHECKING

from pkgstats.records.blocks import encode_block
from pkgstats.records.model import (
    Check,
    GroupList,
    Heartbeat,
    IndexRows,
    Member,
    Retraction,
    Snapshot,
    WriterCard,
)
from pkgstats.view import members

from .world import GROUP, NOW, World, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from pkgstats.view.reading import View
    from pkgstats.view.store import Store

ROWS = IndexRows(
    observed_at=NOW, names=("x", "y"), versions=("1", "1"), downloads=(7, 8), summaries=("", "")
)


def listed(edition: int, *writers: str) -> GroupList:
    named = tuple(Member(key=key(one)) for one in writers)
    return GroupList(observed_at=NOW, edition=edition, members=named)


def names(view: View) -> set[str]:
    return {row.name for row in view.listing_rows()}


def test_the_list_with_the_highest_edition_counts_whenever_it_came(
    store: Store, told: Callable[[], View], world: World
) -> None:
    for edition, writers in ((9, "a"), (8, "b"), (9, "ab")):
        world.raw("meta", GROUP, encode_block([listed(edition, *writers)]))
    assert told().group_list() == listed(9, "a", "b")


def test_a_list_in_a_members_feed_is_no_list(told: Callable[[], View], world: World) -> None:
    world.say("a", listed(99, "c"))
    view = told()
    assert view.group_list() != listed(99, "c")
    refused = {one.key: one.cores["meta"].refused for one in view.writers()}
    assert refused[key("a")] == {"in a feed where it does not belong": 1}


def test_the_last_card_and_heartbeat_count(told: Callable[[], View], world: World) -> None:
    card = WriterCard(observed_at=NOW, title="second", cores={})
    beat = Heartbeat(observed_at=NOW, checked=3)
    world.say("a", card, Heartbeat(observed_at=NOW + 5), beat)
    writer = next(one for one in told().writers() if one.key == key("a"))
    assert (writer.card, writer.heartbeat) == (card, beat)


def test_a_writer_takes_back_one_record_or_a_block(told: Callable[[], View], world: World) -> None:
    block = world.say("a", ROWS, Snapshot(observed_at=NOW, name="z", version="1"))
    assert block == 0
    world.say("a", Snapshot(observed_at=NOW, name="z", version="1"))
    assert names(told()) == {"x", "y", "z"}
    core = key("a", "index")
    world.say("a", Retraction(observed_at=NOW, core=core, block=0, place=1))
    assert names(told()) == {"x", "y", "z"}, "that record had no place there"
    world.say("a", Retraction(observed_at=NOW, core=core, block=0))
    view = told()
    assert names(view) == {"z"}
    (refused,) = (one.cores["index"].refused for one in view.writers() if one.key == key("a"))
    assert refused["taken back"] == 1


def test_nobody_takes_back_what_another_said(told: Callable[[], View], world: World) -> None:
    world.say("a", ROWS)
    world.say("b", Retraction(observed_at=NOW, core=key("a", "index"), block=0))
    assert names(told()) == {"x", "y"}


def test_a_retraction_cannot_be_taken_back(told: Callable[[], View], world: World) -> None:
    world.say("a", ROWS)
    block = world.say("a", Retraction(observed_at=NOW, core=key("a", "index"), block=0))
    world.say("a", Retraction(observed_at=NOW, core=key("a"), block=block))
    assert names(told()) == set()


def test_a_check_is_no_news(told: Callable[[], View], world: World) -> None:
    before = told().view_hash()
    world.say("a", Check(observed_at=NOW, core=GROUP, upto=1, root=GROUP))
    assert told().view_hash() == before


def test_what_is_not_told_is_none(store: Store) -> None:
    assert members.group_list(store._database) is None
    assert members.cards(store._database) == {}
    assert members.heartbeat_of(None) is None
