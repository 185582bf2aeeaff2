from __future__ import annotations

from typing import TYPE_CHECKING

from pkgstats.records.model import Heartbeat, Member, Snapshot

from .world import GROUP, NOW, World, catch_up, key

if TYPE_CHECKING:
    from pkgstats.view.reading import View
    from pkgstats.view.store import Store

SNAPSHOT = Snapshot(observed_at=NOW, name="x", version="1")


def test_writers_tell_their_roles_and_how_much_of_them_was_read(
    store: Store, world: World, view: View
) -> None:
    world.say("a", SNAPSHOT)
    world.say("a", Heartbeat(observed_at=NOW, checked=5))
    world.raw("detail", key("a", "detail"), b"nonsense")
    world.accept(Member(key=key("a"), until=world.whole("a")), Member(key=key("b"), role="watcher"))
    catch_up(store, world)
    a, b, owner = sorted(view.writers(), key=lambda one: (one.key == GROUP, one.key))
    assert (a.key, a.role, b.role, owner.role) == (key("a"), "crawler", "watcher", "owner")
    assert a.card is not None
    assert a.card.title == "a"
    assert a.heartbeat == Heartbeat(observed_at=NOW, checked=5)
    detail = a.cores["detail"]
    assert (detail.until, detail.position, detail.records) == (2, "0:2", 1)
    assert detail.refused == {"no block of records": 1}
    assert not owner.cores["meta"].refused


def test_a_writer_who_was_wrong_too_often_is_set_aside(
    store: Store, world: World, view: View
) -> None:
    world.say("a", SNAPSHOT)
    catch_up(store, world)
    for number in range(100):
        store.note_check(key("a"), wrong=number < 2)
    catch_up(store, world)
    (a,) = (one for one in view.writers() if one.key == key("a"))
    assert (a.checked, a.wrong, a.aside) == (100, 2, True)
    assert a.cores.keys() == {"meta"}
    assert view.package("x") is None
    for _ in range(100):
        store.note_check(key("a"), wrong=False)
    catch_up(store, world)
    assert view.package("x"), "it is not deleted, and may come back"


def test_one_who_was_accepted_has_no_role_any_more(store: Store, world: World, view: View) -> None:
    catch_up(store, world)
    world.accept("b")
    catch_up(store, world)
    (a,) = (one for one in view.writers() if one.key == key("a"))
    assert (a.role, a.cores, a.card) == ("", {}, None)
