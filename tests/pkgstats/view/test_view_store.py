from __future__ import annotations

import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkgstats.records import counts
from pkgstats.records.blocks import encode_block
from pkgstats.records.codec import names_hash
from pkgstats.records.model import (
    CORES,
    DayCounts,
    IndexRows,
    Known,
    Member,
    NamesBlock,
    Retraction,
    Snapshot,
    Tombstone,
    VersionEvent,
    WeekCounts,
)
from pkgstats.records.names import WHOLE
from pkgstats.view.reading import View
from pkgstats.view.store import SchemaError, Store, read

from .model import Model, authorities, model
from .world import DAY_MS, GROUP, NOW, TODAY, World, catch_up, deliver, key, position

if TYPE_CHECKING:
    from pathlib import Path

WRITERS = "abcd"
NAMES = st.sampled_from(["x", "y", "@s/z"])
VERSIONS = st.sampled_from(["1.0.0", "2.0.0", ""])
BLOCKS = [("x", "y"), ("@s/z", "x", "y"), ()]
SMALL = st.integers(0, 3)
TIMES = st.sampled_from([NOW - DAY_MS, NOW, NOW + DAY_MS, NOW + 2 * DAY_MS])
"""The last one is too early today."""


@st.composite
def listings(draw: st.DrawFn) -> IndexRows:
    names = tuple(draw(st.lists(NAMES, max_size=3)))
    rows = st.tuples(VERSIONS, SMALL, st.sampled_from(["", "one"]))
    told = [draw(rows) for _ in names]
    return IndexRows(
        observed_at=draw(TIMES),
        names=names,
        versions=tuple(version for version, _, _ in told),
        downloads=tuple(downloads for _, downloads, _ in told),
        summaries=tuple(summary for _, _, summary in told),
    )


@st.composite
def day_counts(draw: st.DrawFn) -> DayCounts:
    block = draw(st.sampled_from([None, *BLOCKS]))
    alone = draw(st.sampled_from(["x", WHOLE]))
    span = draw(st.integers(1, 3))
    rows = [draw(st.lists(SMALL, min_size=span, max_size=span)) for _ in block or ("x",)]
    spoilt = draw(st.booleans()) and draw(st.booleans())
    return DayCounts(
        observed_at=draw(TIMES) + 3 * DAY_MS * draw(st.integers(0, 1)) - 3 * DAY_MS,
        first_day=TODAY - 5 - draw(SMALL),
        span=span,
        name=alone if block is None else None,
        names_ref=None if block is None else names_hash(block),
        counts=counts.pack(rows) + b"\x80" * spoilt,
    )


INDEX: st.SearchStrategy[Known] = listings() | st.builds(
    NamesBlock, observed_at=TIMES, names=st.sampled_from(BLOCKS)
)

DETAIL: st.SearchStrategy[Known] = st.one_of(
    st.builds(
        Snapshot,
        observed_at=TIMES,
        evidence=st.sampled_from([None, {"rev": "7-a"}, {"rev": "9-a"}]),
        name=NAMES,
        version=VERSIONS,
        modified=st.sampled_from([0, NOW - 9, NOW, NOW + DAY_MS]),
        maintainers=st.sampled_from([(), ("ada",), ("ada", "eve")]),
        dependencies=st.sampled_from([None, {"x": "*"}, {"y": "*", "no name": "1"}]),
    ),
    st.builds(VersionEvent, observed_at=TIMES, name=NAMES, version=VERSIONS, unpacked=SMALL),
    st.builds(
        Tombstone, observed_at=TIMES, name=NAMES, version=st.none(), reason=st.just("mistake")
    ),
)

WEEKS = st.builds(
    WeekCounts,
    observed_at=TIMES,
    name=NAMES,
    last_day=st.integers(TODAY - 9, TODAY - 7),
    versions=st.dictionaries(VERSIONS, SMALL, max_size=2),
)

RECORDS: dict[str, st.SearchStrategy[Known]] = {
    "index": INDEX,
    "detail": DETAIL,
    "days": st.one_of(day_counts(), day_counts(), WEEKS),
}

BOUNDS = st.fixed_dictionaries(
    {"meta": st.integers(1, 3)}, optional=dict.fromkeys(CORES[1:], SMALL)
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Whatever 2 to 4 writers say, with lists that accept and revoke them, and with retractions."""
    world = World()
    writers = WRITERS[: draw(st.integers(2, 4))]
    world.join(*writers)
    for writer in writers:
        for kind, records in RECORDS.items():
            for said in draw(st.lists(st.lists(records, min_size=1, max_size=2), max_size=3)):
                world.raw(kind, key(writer, kind), encode_block(said))
    for (kind, core), blocks in list(world.feeds.items()):
        writer = core[:1].decode() if draw(st.integers(0, 3)) else draw(st.sampled_from(writers))
        if kind != "meta" and not draw(st.integers(0, 2)):
            block, place = draw(st.integers(0, len(blocks))), draw(st.sampled_from([None, 0, 1]))
            world.say(writer, Retraction(observed_at=NOW, core=core, block=block, place=place))
    for _ in range(draw(st.integers(1, 2))):
        world.accept(*(draw(members(key(writer))) for writer in writers))
    return world


@st.composite
def members(draw: st.DrawFn, writer: bytes) -> Member:
    role = draw(st.sampled_from(["crawler", "crawler", "crawler", "watcher", "notes"]))
    return Member(key=writer, role=role, until=draw(st.none() | BOUNDS))


class Countdown:
    """Stops SQLite in the middle of a statement, once."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self) -> bool:
        self.left -= 1
        return self.left == 0


class Player:
    """A store to which things happen."""

    def __init__(self, path: Path, world: World, *, replays: bool) -> None:
        self.path = path
        self.world = world
        self.store = Store.open(path, GROUP)
        self.feeds = sorted(world.feeds)
        self.replays = replays

    def begin(self) -> None:
        """Learn who there is, and nothing yet of what they take back."""
        deliver(self.store, self.world, "meta", GROUP, 9)
        self.store.retrust(now=NOW)
        for kind, feed in self.feeds:
            if kind == "meta" and feed != GROUP:
                deliver(self.store, self.world, kind, feed, 1)
        self.store.retrust(now=NOW)

    def step(self, choice: int) -> None:
        """Something happens; it may be interrupted."""
        number, what = divmod(choice, 9)
        if what == 0:
            self.store.close()
            self.store = Store.open(self.path, GROUP)
            return
        if what == 1:
            self.store._database.set_progress_handler(Countdown(number % 97), 50)
            return
        try:
            self._work(number, what)
        except sqlite3.OperationalError as error:
            if "interrupted" not in str(error):
                raise

    def _work(self, number: int, what: int) -> None:
        now = NOW - number % 3 * DAY_MS
        kind, feed = self.feeds[number % len(self.feeds)]
        if what == 2:
            self.store.retrust(now=now)
        elif what == 3:
            self.store.apply_due(now=now)
        elif what == 4:
            self._replay(kind, feed, now)
        else:
            deliver(self.store, self.world, kind, feed, 1 + number % 3, now=now)
            if kind == "meta":
                self.store.retrust(now=now)

    def _replay(self, kind: str, feed: bytes, now: int) -> None:
        """All blocks that were read come once more, as nobody should deliver them."""
        stop = position(self.store, kind, feed)
        if self.replays and stop and kind != "meta":
            entries = self.world.entries(kind, feed, 0, stop)
            self.store.apply(kind, entries, {feed.hex(): f"0:{stop}"}, now=now)


def answers(view: View, about: Model) -> Model:
    """What the view says, in the words of a model."""
    found = Model()
    for name in ("x", "y", "@s/z", WHOLE):
        facts = view.package(name)
        if facts is not None:
            found.states[name] = facts.state
            if facts.snapshot is not None:
                found.snapshots[name] = facts.snapshot
        for version in view.versions(name):
            event = about.versions[name, version.version]
            assert (version.unpacked, version.observed_at) == (event.unpacked, event.observed_at)
            found.versions[name, version.version] = event
        for week in view.weeks(name):
            found.weeks[name, week.last_day, week.version] = week.count
        for day in view.days(name):
            found.days[name, day.day] = day.count, day.disputed
    query = """select name, version, downloads, summary, observed_at
               from listing_won join packages on id = package"""
    for name, version_, downloads, summary, at in view._database.execute(query):
        found.listing[name] = version_, downloads, summary, at
    shown = {name for name, state in found.states.items() if state != "dropped"}
    assert {row.name for row in view.listing_rows()} == shown
    return found


@settings(max_examples=50, deadline=None)
@given(
    worlds(),
    st.lists(st.integers(0, 1 << 30), min_size=10, max_size=60),
    st.booleans(),
    st.booleans(),
)
def test_any_order_with_replays_and_crashes_gives_the_same_view(
    tmp_path_factory: pytest.TempPathFactory,
    world: World,
    tape: list[int],
    begun: bool,
    replays: bool,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    player = Player(folder / "a.db", world, replays=replays)
    if begun:
        player.begin()
    for choice in tape:
        player.step(choice)
    player.store._database.set_progress_handler(None, 0)
    catch_up(player.store, world)
    player.store.close()
    with Store.open(folder / "b.db", GROUP) as straight:
        catch_up(straight, world)
    expected = model(world, NOW)
    with View.open(folder / "a.db") as view, View.open(folder / "b.db") as other:
        assert answers(view, expected) == expected
        assert view.view_hash() == other.view_hash()
        assert _cores(view) == authorities(world).keys()
        assert replays or view.writers() == other.writers(), "each counted once"


def _cores(view: View) -> set[bytes]:
    return {core.key for writer in view.writers() for core in writer.cores.values()}


def test_a_machine_that_stops_within_a_transaction_has_the_state_before_it(
    tmp_path: Path, path: Path, store: Store, world: World
) -> None:
    world.say("a", IndexRows(observed_at=NOW, names=("x",) * 9, versions=("1",) * 9,
                             downloads=tuple(range(9)), summaries=("",) * 9))  # fmt: skip
    catch_up(store, world, kinds=["meta"])
    feed = key("a", "index")
    copies: list[Path] = []

    def copy() -> int:
        copies.append(tmp_path / str(len(copies)))
        copies[-1].mkdir()
        for file in path.parent.glob("view.db*"):
            shutil.copy(file, copies[-1])
        return 0

    store._database.set_progress_handler(copy, 200)
    deliver(store, world, "index", feed, 1)
    store._database.set_progress_handler(None, 0)
    assert len(copies) > 3
    for folder in copies:
        with Store.open(folder / "view.db", GROUP) as other, View.open(folder / "view.db") as view:
            if read(other.positions("index")[feed.hex()]) == 0:
                assert view.counts().listing == 0
            deliver(other, world, "index", feed, 1)
            facts = view.package("x")
            assert facts is not None
            assert facts.downloads == 8


def test_a_file_of_another_group_version_or_kind_is_no_view(path: Path) -> None:
    Store.open(path, GROUP).close()
    with pytest.raises(SchemaError):
        Store.open(path, b"other" + bytes(27))
    with Store.open(path, GROUP) as store:
        store._database.execute("update meta set value = 99 where key = 'schema'")
    with pytest.raises(SchemaError):
        Store.open(path, GROUP)
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("create table words (word)")
    other.close()
    with pytest.raises(SchemaError):
        Store.open(path, GROUP)


def test_positions_leave_out_feeds_that_nobody_accepts(store: Store, world: World) -> None:
    catch_up(store, world)
    stranger = b"s" * 32
    after = store.positions("meta", [GROUP, stranger])
    assert after[GROUP.hex()] == "0:1"
    assert read(after[stranger.hex()]) > 1 << 52


@pytest.mark.parametrize(("text", "blocks"), [("", 0), ("0:7", 7), ("0:7,9:10", 8)])
def test_a_position_tells_how_many_blocks_were_read(text: str, blocks: int) -> None:
    assert read(text) == blocks


def test_how_many_blocks_are_not_read_yet(store: Store, world: World) -> None:
    snapshot = Snapshot(observed_at=NOW, name="x", version="1")
    for _ in range(3):
        world.say("a", snapshot)
    catch_up(store, world)
    lengths = {key("a", "detail"): 10, key("b", "detail"): 4, key("c", "detail"): 9}
    assert store.behind("detail", lengths) == 7 + 4
    world.accept(Member(key=key("a"), until={**world.whole("a"), "detail": 5}))
    catch_up(store, world)
    assert store.behind("detail", lengths) == 2


def test_what_was_applied_is_told(store: Store, world: World) -> None:
    world.say("a", Snapshot(observed_at=NOW, name="x", version="1"))
    world.raw("detail", key("a", "detail"), b"nonsense")
    catch_up(store, world, kinds=["meta"])
    before = store.generation
    applied = deliver(store, world, "detail", key("a", "detail"), 9)
    assert (applied.blocks, applied.records, applied.refused) == (2, 1, 1)
    assert applied.generation == store.generation > before
    assert store.changed_since(before, 9) == ["x"]
    assert store.changed_since(before, 0) is None
    assert store.apply_due(now=NOW) is None


def test_what_is_interrupted_anywhere_has_no_effect(
    path: Path, store: Store, world: World, view: View
) -> None:
    world.say("a", Snapshot(observed_at=NOW, name="x", version="1"))
    world.say("a", Snapshot(observed_at=NOW, name="y", version="1"))
    catch_up(store, world, kinds=["meta"])
    before = view.counts(), view.generation
    for steps in range(1, 10_000):
        store._database.set_progress_handler(Countdown(steps), 10)
        try:
            deliver(store, world, "detail", key("a", "detail"), 2)
        except sqlite3.OperationalError:
            assert (view.counts(), view.generation) == before
        else:
            break
    assert steps > 20
    assert view.counts().records == before[0].records + 2
