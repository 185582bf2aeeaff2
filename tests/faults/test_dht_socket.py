"""A node of the DHT whose network goes away and comes back."""

from __future__ import annotations

import asyncio

import pytest
from tests.faults.virtual_time import virtual_time
from tests.interop.namespace import in_namespace, ip

from hypermultifeed.errors import BootstrapError
from hypermultifeed.network.dht import DhtNode

HOST = "127.0.0.1"
TOPIC = b"\x0e" * 32
HOURS_S = 3 * 3600.0


@in_namespace()
@virtual_time
async def test_started_without_a_network() -> None:
    """Datagrams vanish or are refused by this machine itself; later the node finds others."""
    ip("link set lo down")
    async with await DhtNode.listen() as first:
        bootstrap = [f"{HOST}:{first.address.port}", "10.9.9.9:49737"]
        async with await DhtNode.listen(bootstrap=bootstrap) as node:
            with pytest.raises(BootstrapError):
                await node.bootstrapped()
            assert node.stats.lost > 0
            assert first.stats.received == 0
            ip("link set lo up")
            await asyncio.sleep(60)
            await node.bootstrapped()
            assert [contact.id for contact in node.nodes] == [first.id]


@in_namespace()
@virtual_time
async def test_the_network_is_gone_for_a_moment() -> None:
    """What was begun meanwhile is asked again and answered; what was known stays known."""
    async with (
        await DhtNode.listen(HOST) as first,
        await DhtNode.listen(HOST, bootstrap=[str(first.address)]) as node,
    ):
        await node.bootstrapped()
        heard = first.stats.received
        ip("link set lo down")
        announce = node.announce(TOPIC, port=5)
        ping = asyncio.ensure_future(node.ping(*first.address))
        await asyncio.sleep(1)
        assert first.stats.received == heard
        ip("link set lo up")
        assert await ping == node.address
        await announce.finished()
        assert [contact.id for contact in node.nodes] == [first.id]
        assert first.stats.records == 1


@in_namespace()
@virtual_time
async def test_the_network_is_gone_for_hours() -> None:
    """Everybody is forgotten, and found again."""
    async with (
        await DhtNode.listen(HOST) as first,
        await DhtNode.listen(HOST, bootstrap=[str(first.address)]) as node,
    ):
        await node.bootstrapped()
        ip("link set lo down")
        await asyncio.sleep(HOURS_S)
        assert node.nodes == first.nodes == []
        sent = node.stats.sent
        ip("link set lo up")
        await asyncio.sleep(90)
        assert [contact.id for contact in node.nodes] == [first.id]
        assert [contact.id for contact in first.nodes] == [node.id]
        assert sent < HOURS_S / 10  # and nobody was asked more often than every ten seconds
