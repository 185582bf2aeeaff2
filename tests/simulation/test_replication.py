"""Many peers of one feed with delays, splits, slow links, disconnections and liars."""

from __future__ import annotations

import os

import pytest

from hypermultifeed.errors import ReplicationError

from .network import Liar, Network, Node, Shuffler

SEEDS = range(int(os.environ.get("SIMULATION_SEEDS", "6")))


def block(network: Network, index: int) -> bytes:
    return index.to_bytes(4, "big") * network.random.choice((1, 1, 4, 30, 300))


def mesh(network: Network, readers: int) -> tuple[Node, list[Node]]:
    """A writer and readers, each linked to some earlier node and perhaps to another one."""
    writer = network.node(Shuffler if network.random.random() < 0.5 else Node, writer=True)
    for _ in range(readers):
        kind = Shuffler if network.random.random() < 0.3 else Node
        node = network.node(kind)
        others = network.nodes[:-1]
        for other in network.random.sample(others, min(len(others), network.random.randint(1, 2))):
            pair = (node, other) if network.random.random() < 0.5 else (other, node)
            network.connect(*pair)
    return writer, network.nodes[1:]


def write(network: Network, writer: Node, batches: int, seconds: float) -> int:
    """Append at random times; returns how many blocks there will be."""
    total = 0
    for _ in range(batches):
        count = network.random.choice((0, 1, 1, 2, 40))
        batch = [block(network, total + i) for i in range(count)]
        total += count
        network.after(network.random.uniform(0, seconds), lambda b=batch: writer.append(*b))
    return total


def check(writer: Node, readers: list[Node]) -> None:
    length = writer.log.length
    expected = writer.log.get_run(0, length)
    for reader in readers:
        assert reader.log.get_run(0, length) == expected
        assert reader.log.signature() == writer.log.signature()
        assert not [index for index in reader.sync.requested if index < length]
        assert not [e for e in reader.errors if not isinstance(e, ReplicationError)]


def flapping(seed: int) -> str:
    """Links are cut and made again all the time; returns the trace's hash."""
    network = Network(seed)
    writer, readers = mesh(network, 5)
    total = write(network, writer, 20, seconds=30.0)

    def flap() -> None:
        links = [link for link in network.links if link.up]
        if links:
            link = network.random.choice(links)
            link.cut()
            network.after(network.random.uniform(0.0, 3.0), network.connect, *link.nodes)
        if network.now < 40.0:
            network.after(network.random.uniform(0.1, 2.0), flap)

    network.after(1.0, flap)
    network.run(
        lambda: network.now > 41.0 and all(node.stored() == total for node in network.nodes),
        limit=120.0,
    )
    check(writer, readers)
    downloaded = sum(node.sync.stats.downloaded_blocks for node in readers)
    duplicates = sum(node.sync.stats.duplicate_blocks for node in readers)
    assert downloaded == total * len(readers)
    assert duplicates <= 0.2 * downloaded
    return network.trace.hexdigest()


@pytest.mark.parametrize("seed", SEEDS)
def test_all_copies_get_equal_though_links_come_and_go(seed: int) -> None:
    flapping(seed)


SUSPENDED_S = 8 * 3600.0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_clock_that_jumps_ahead_costs_a_reconnection_at_most(seed: int) -> None:
    """As of a laptop that slept: what was under way comes late, every timer fires at once."""
    network = Network(seed)
    writer, readers = mesh(network, 3)
    total = write(network, writer, 10, seconds=20.0)
    pairs = [link.nodes for link in network.links]

    def redial() -> None:
        up = [link.nodes for link in network.links if link.up]
        for pair in pairs:
            if pair not in up:
                network.connect(*pair)
        network.after(5.0, redial)

    def suspend() -> None:
        network.now += SUSPENDED_S

    redial()
    for _ in range(3):
        network.after(network.random.uniform(0.0, 20.0), suspend)
    network.run(
        lambda: (
            network.now > 3 * SUSPENDED_S + 40.0
            and all(node.stored() == total for node in network.nodes)
        ),
        limit=3 * SUSPENDED_S + 60.0,
    )
    check(writer, readers)
    assert len(network.links) <= 4 * len(pairs)
    duplicates = sum(node.sync.stats.duplicate_blocks for node in readers)
    assert duplicates <= 0.2 * total * len(readers)
    assert network.scheduled < 40_000  # nothing is made up for each interval that passed


def test_the_same_seed_gives_the_same_trace() -> None:
    assert flapping(1) == flapping(1)
    assert flapping(1) != flapping(2)


@pytest.mark.parametrize("seed", SEEDS)
def test_liars_do_not_keep_a_reader_from_its_feed(seed: int) -> None:
    def seconds(liars: int) -> float:
        network = Network(seed)
        writer = network.node(writer=True)
        writer.append(*(block(network, index) for index in range(600)))
        reader = network.node()
        honest = network.connect(reader, writer)
        honest.bytes_per_s = 100_000
        for _ in range(liars):
            network.connect(network.node(Liar), reader)
        network.run(lambda: reader.stored() == 600, limit=120.0)
        check(writer, [reader])
        return network.now

    assert seconds(5) <= 2 * seconds(0)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_halves_make_a_whole_without_the_writer(seed: int) -> None:
    network = Network(seed)
    writer = network.node(writer=True)
    writer.append(*(block(network, index) for index in range(300)))
    halves = [network.node(whole=False), network.node(whole=False)]
    for number, node in enumerate(halves):
        link = network.connect(node, writer)
        for index in range(number, 300, 2):
            node.sync.get(index, network.now, lambda error: None)
        network.run(lambda node=node: node.stored() == 150, limit=60.0)  # type: ignore[misc]
        link.cut()
    reader = network.node()
    for node in halves:
        network.connect(reader, node)
    network.run(lambda: reader.stored() == 300, limit=60.0)
    check(writer, [reader])


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_not_live_ends_in_every_shape(seed: int) -> None:
    network = Network(seed)
    writer = network.node(writer=True)
    writer.append(*(block(network, index) for index in range(100)))
    partial = [network.node(whole=False) for _ in range(3)]
    for node in partial:
        link = network.connect(node, writer)
        wanted = network.random.sample(range(100), 30)
        for index in wanted:
            node.sync.get(index, network.now, lambda error: None)
        network.run(lambda node=node: node.stored() == 30, limit=60.0)  # type: ignore[misc]
        link.cut()
        node.sync.whole = network.random.random() < 0.7
    network.nodes.append(network.node())
    links = [
        network.connect(a, b, live=False)
        for number, a in enumerate(network.nodes)
        for b in network.nodes[:number]
        if a is not b and writer not in (a, b)
    ]
    network.run(lambda: not any(link.up for link in links), limit=60.0)
    assert not any(node.errors for node in network.nodes)
    everything = set().union(*({i for i in range(100) if n.log.has(i)} for n in partial))
    last = network.nodes[-1]
    assert {i for i in range(100) if last.log.has(i)} == everything


@pytest.mark.parametrize("seed", SEEDS)
def test_clearing_while_others_read(seed: int) -> None:
    network = Network(seed)
    writer, readers = mesh(network, 3)
    total = write(network, writer, 15, seconds=10.0)
    first = readers[0]

    def clear() -> None:
        start = network.random.randrange(max(1, writer.log.length))
        stop = start + network.random.randint(1, 20)
        if first.log.clear(start, stop):
            first.sync.cleared(start, stop, network.now)
        if network.now < 12.0:
            network.after(network.random.uniform(0.1, 1.0), clear)

    network.after(0.5, clear)
    network.run(
        lambda: network.now > 13.0 and all(node.stored() == total for node in network.nodes),
        limit=120.0,
    )
    check(writer, readers)
