from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cbor2
import zstandard

from pkgstats.records import counts
from pkgstats.records.blocks import CONTENT_BYTES_MAX, HEAD, RECORDS_MAX
from pkgstats.records.codec import names_hash, to_map
from pkgstats.records.model import (
    DayCounts,
    GroupList,
    Heartbeat,
    IndexRows,
    Known,
    Member,
    NamesBlock,
    Retraction,
    Snapshot,
    Tombstone,
    VersionEvent,
    WriterCard,
)
from pkgstats.view.reading import View
from pkgstats.view.store import Store

from .test_view_cores import EVERYTHING
from .world import DAY_MS, GROUP, NOW, TODAY, World, catch_up, deliver, key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SNAPSHOT = Snapshot(observed_at=NOW, name="x", version="1")


def block(*values: Any) -> bytes:
    """A block whose records are whatever these are."""
    return sealed(cbor2.dumps(list(values)))


def sealed(content: bytes) -> bytes:
    packed = zstandard.ZstdCompressor(write_content_size=True).compress(content)
    return HEAD + packed


def refused(view: View, writer: str, kind: str) -> dict[str, int]:
    (found,) = (one.cores[kind].refused for one in view.writers() if one.key == key(writer))
    return found


def test_records_from_the_future_wait_until_it_has_come(
    store: Store, world: World, view: View
) -> None:
    for days, version in ((2, "2"), (3, "3"), (0, "1")):
        world.say("a", replace(SNAPSHOT, observed_at=NOW + days * DAY_MS, version=version))
    world.say("a", *(replace(SNAPSHOT, name="y", observed_at=NOW + n * DAY_MS, version=str(n))
                     for n in (2, 3)))  # fmt: skip
    seen = []
    for now in (NOW, NOW + DAY_MS - 1, NOW + DAY_MS, NOW + 2 * DAY_MS):
        catch_up(store, world, now=now)
        x, y = view.package("x"), view.package("y")
        seen.append((x and x.version, y and y.version, view.counts().deferred, store.next_due()))
    assert seen == [
        ("1", None, 3, NOW + DAY_MS),
        ("1", None, 3, NOW + DAY_MS),
        ("2", "2", 2, NOW + 2 * DAY_MS),
        ("3", "3", 0, None),
    ]
    assert not view.counts().refused
    assert store._database.execute("select count(*) from held").fetchone() == (0,)


def test_counts_may_wait_for_their_time_and_then_for_their_names(
    store: Store, world: World, view: View
) -> None:
    early = DayCounts(
        observed_at=NOW + 2 * DAY_MS,
        first_day=TODAY - 2,
        span=1,
        names_ref=names_hash(("x",)),
        counts=counts.pack([[5]]),
    )
    world.say("a", early, replace(early, observed_at=NOW, counts=counts.pack([[4]])))
    catch_up(store, world)
    assert (view.counts().deferred, view.counts().waiting) == (1, 1)
    catch_up(store, world, now=NOW + 9 * DAY_MS)
    assert (view.counts().deferred, view.counts().waiting) == (0, 1)
    world.say("a", NamesBlock(observed_at=NOW, names=("x",)))
    catch_up(store, world, now=NOW + 9 * DAY_MS)
    assert [one.count for one in view.days("x")] == [5]
    assert view.counts().waiting == 0


def test_what_is_not_understood_is_counted_by_its_reason(
    told: Callable[[], View], world: World
) -> None:
    said = to_map(SNAPSHOT)
    world.raw("detail", key("a", "detail"), b"")
    world.raw("detail", key("a", "detail"), block(said, 7, {**said, 0: 99}, {**said, 1: 2}))
    world.raw("detail", key("a", "detail"), block(to_map(EVERYTHING[0])))
    view = told()
    assert view.package("x")
    assert refused(view, "a", "detail") == {
        "no block of records": 1,
        "no good record": 1,
        "of an unknown kind": 2,
        "in a feed where it does not belong": 1,
    }
    assert view.counts().refused == 5


def test_feeds_that_nobody_accepts_have_no_position_and_no_effect(
    store: Store, world: World, view: View
) -> None:
    world.join("c")
    world.say("c", SNAPSHOT)
    catch_up(store, world)
    assert deliver(store, world, "detail", key("c", "detail"), 1).blocks == 0
    assert view.package("x") is None
    assert store.positions("detail", [key("c", "detail")])[key("c", "detail").hex()] != "0:1"
    world.accept("a", "b", "c")
    catch_up(store, world)
    assert view.package("x")


def test_after_a_revocation_the_groups_own_lists_still_count(
    told: Callable[[], View], world: World
) -> None:
    """The owner may be a writer too, and set himself a bound."""
    world.accept(Member(key=GROUP, until={"meta": 1}))
    world.accept("a")
    view = told()
    assert view.group_list() == GroupList(
        observed_at=NOW, edition=world.edition, members=(Member(key=key("a")),)
    )


def lies(chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """What an accepted writer may think of."""
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    said = [to_map(one) for one in [*EVERYTHING, SNAPSHOT]]
    far: list[Known] = [
        replace(SNAPSHOT, name="victim", version="9", observed_at=NOW * 2, modified=NOW * 2),
        replace(SNAPSHOT, name="victim", version="9", modified=NOW + DAY_MS),
        VersionEvent(observed_at=NOW, name="victim", version="9", published=NOW * 9),
        DayCounts(observed_at=NOW, first_day=TODAY + 1, span=2, name="victim", counts=b"\x02\x02"),
        DayCounts(observed_at=NOW, first_day=1, span=1, name="victim", counts=b"\x02"),
    ]
    wrong: list[Any] = [None, True, -1, 1 << 60, 1.5, "x" * 99_999, b"\xff" * 99, [], {}, deep]
    for _ in range(8000):
        told = dict(chance.choice(said))
        told[chance.choice([*told])] = chance.choice(wrong)
        yield chance.choice(["index", "detail", "days"]), block(told)
    for record in far * 100:
        yield "detail" if hasattr(record, "version") else "days", block(to_map(record))
    heavy = bombs()
    for _ in range(500):
        yield "index", sealed(chance.randbytes(chance.randrange(200)))
        yield "days", chance.randbytes(chance.randrange(200))
        yield "detail", chance.choice(heavy)


def bombs() -> list[bytes]:
    """Small blocks that claim, or hold, far too much."""
    zeros = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(64 << 20))
    huge = zstandard.ZstdCompressor(write_content_size=True).compress(bytes(64 << 20))
    nested = b"\x81" * (CONTENT_BYTES_MAX - 1) + b"\x80"
    many = block(*[0] * (RECORDS_MAX + 1))
    length = sealed(b"\x9b\x00\x00\x00\xff\xff\xff\xff\xff")
    return [HEAD + zeros, HEAD + huge, sealed(nested), many, length]


def test_ten_thousand_hostile_records_of_an_accepted_writer_harm_nothing(
    path: Path, tmp_path: Path, world: World
) -> None:
    victim = replace(SNAPSHOT, name="victim", version="1", modified=NOW - DAY_MS)
    for record in (*EVERYTHING, victim):
        world.say("a", record)
    with Store.open(tmp_path / "before.db", GROUP) as store:
        catch_up(store, world)
    said = 0
    for said, (kind, data) in enumerate(lies(random.Random(4)), 1):  # noqa: B007
        world.raw(kind, key("b", kind), data)
    claim = {kind: key("a", kind) for kind in ("index", "detail", "days")}
    for kind in claim:
        world.say("b", Retraction(observed_at=NOW, core=key("a", kind), block=0))
    with Store.open(path, GROUP) as store, View.open(path) as view:
        catch_up(store, world)
        names = {row.name for row in view.listing_rows()}
        facts, victims = view.counts(), view.package("victim")
        assert victims
        assert victims.snapshot == victim
        assert view.days("victim") == []
    assert said >= 10_000
    assert names == {"x", "victim"}
    assert facts.refused + facts.deferred >= said * 0.9
    world.say("b", WriterCard(observed_at=NOW, title="a", cores=claim), Heartbeat(observed_at=NOW))
    with Store.open(path, GROUP) as store, View.open(path) as view:
        catch_up(store, world)
        with View.open(tmp_path / "before.db") as before:
            assert view.view_hash() == before.view_hash(), "its card names feeds that are taken"


def test_a_liar_who_is_revoked_leaves_the_view_as_if_he_had_never_spoken(
    path: Path, tmp_path: Path, store: Store, world: World, view: View
) -> None:
    truth: list[Known] = [*EVERYTHING, SNAPSHOT]
    for record in truth:
        world.say("a", record)
    catch_up(store, world)
    honest = view.view_hash()
    for record in (
        replace(SNAPSHOT, version="6.6.6", modified=NOW + 1),
        Tombstone(observed_at=NOW + 9, name="x", reason="takedown"),
        IndexRows(
            observed_at=NOW + 9, names=("x",), versions=("6",), downloads=(9,), summaries=("!",)
        ),
    ):
        world.say("b", record)
    catch_up(store, world)
    facts = view.package("x")
    assert facts
    assert (facts.version, facts.downloads) == ("6", 9)
    assert view.view_hash() != honest
    world.accept("a")
    catch_up(store, world)
    assert view.view_hash() == honest
