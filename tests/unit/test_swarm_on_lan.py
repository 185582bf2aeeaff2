"""Swarms that find each other on a local network and nowhere else, in network namespaces."""

from __future__ import annotations

from tests.interop.namespace import add_interface, in_namespace
from tests.swarms import TOPIC, greeters, until

LAN = {"host": "0.0.0.0", "mdns": True, "allow_loopback": False}  # noqa: S104


@in_namespace()
async def test_neighbours_meet_over_the_lan() -> None:
    add_interface("cable", "192.168.7.1/24")
    async with greeters(1, 2, 3, **LAN) as everybody:
        for one in everybody:
            await one.swarm.join(TOPIC)
        await until(lambda: [one.remote_keys for one in everybody] == [[2, 3], [1, 3], [1, 2]])
        await until(lambda: all(len(one.swarm.connections) == 2 for one in everybody))
        assert all(connection.local for one in everybody for connection in one.kept)
        assert everybody[0].kept[0].address[0] == "192.168.7.1"


@in_namespace()
async def test_neighbours_with_two_networks_keep_one_connection() -> None:
    """Each is found at two addresses; one port number tells that it is one process."""
    add_interface("cable", "192.168.7.1/24")
    add_interface("wifi", "192.168.8.1/24")
    async with greeters(1, 2, **LAN) as (one, other):
        for peer in (one, other):
            await peer.swarm.join(TOPIC)
        await until(lambda: one.kept and other.kept)
        await until(lambda: len(one.swarm._queue) == len(other.swarm._queue) == 2)
        await until(lambda: not one.swarm.dialling and not other.swarm.dialling)
        await until(lambda: len(one.swarm.connections) == len(other.swarm.connections) == 1)
        assert one.kept[0].initiator
