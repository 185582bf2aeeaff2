"""Hostile neighbours on the LAN, from end to end: real sockets in a network of their own.

A neighbour can forge everything about a packet, its source too. What it costs to read one is held
by `garbage/test_mdns`, how much is said and reported in a second by `unit/discovery/test_mdns`.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import tracemalloc
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from tests.faults.hostile_mdns import corpus
from tests.faults.virtual_time import virtual_time
from tests.interop.namespace import add_interface, in_namespace

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.mdns import READS_PER_S, SENDS_PER_S
from hypermultifeed.discovery.mdns_packets import (
    GROUP,
    PORT,
    encode_answer,
    encode_query,
    topic_label,
)
from hypermultifeed.discovery.mdns_topic import REPORT_WINDOW_S, REPORTS_MAX
from hypermultifeed.network.lan import LanDiscovery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

TOPIC = bytes(range(32))
LABEL = topic_label(TOPIC)
US = "10.0.0.1"
HOSTS = [f"10.0.0.{number}" for number in range(2, 251)]
FORGED = [encode_answer(LABEL, 10_000 + number, bytes(32)) for number in range(1000)]
HOSTILE = corpus(LABEL)


class Forger:
    """Sends packets to the group in any name; each call of ``run`` takes a second or more."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        us = socket.inet_aton(US)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, us)

    def send(self, data: bytes, source: str) -> None:
        udp = struct.pack("!4H", PORT, PORT, 8 + len(data), 0)
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(data), 0, 0, 255, socket.IPPROTO_UDP, 0)
        addresses = socket.inet_aton(source) + socket.inet_aton(GROUP)
        self._socket.sendto(ip + addresses + udp + data, (GROUP, 0))

    async def flood(self, seconds: int, make: Callable[[int], tuple[bytes, str]]) -> None:
        """A thousand packets a second."""
        for number in range(1000 * seconds):
            self.send(*make(number))
            if number % 10 == 9:
                await asyncio.sleep(0.01)

    def close(self) -> None:
        self._socket.close()


class Victim:
    """A peer that has joined, and whom it has found."""

    def __init__(self, port: int) -> None:
        self.found: Counter[Address] = Counter()
        self.news: asyncio.Queue[Address] = asyncio.Queue()
        self.lan = LanDiscovery(self._add, randomness=random.Random(port))
        self.lan.join(TOPIC, port, announce=True, lookup=True)

    def _add(self, topic: bytes, address: Address) -> None:
        assert topic == TOPIC
        self.found[address] += 1
        self.news.put_nowait(address)


@asynccontextmanager
async def scene() -> AsyncIterator[tuple[Victim, Forger]]:
    """One that has been there for a minute, and one who is about to make trouble."""
    add_interface("lan0", f"{US}/24")
    victim, forger = Victim(4001), Forger()
    await victim.lan.open()
    try:
        await asyncio.sleep(60)
        yield victim, forger
    finally:
        await victim.lan.close()
        forger.close()


async def finds_an_honest_peer(victim: Victim, within_s: float) -> None:
    honest = Victim(4002)
    await honest.lan.open()
    try:
        async with asyncio.timeout(within_s):
            while await victim.news.get() != Address(US, 4002):
                pass
    finally:
        await honest.lan.close()


@in_namespace()
@virtual_time
async def test_a_thousand_forged_answers_a_second() -> None:
    async with scene() as (victim, forger):
        await forger.flood(20, lambda number: (FORGED[number % 1000], HOSTS[number % 249]))
        assert len(victim.found) <= 3 * REPORTS_MAX
        assert set(victim.found.values()) == {1}
        assert victim.lan.stats.packets_limited >= 20 * (1000 - READS_PER_S)
        await asyncio.sleep(REPORT_WINDOW_S)
        await finds_an_honest_peer(victim, within_s=1)


@in_namespace()
@virtual_time
async def test_an_honest_peer_is_found_in_the_middle_of_a_flood() -> None:
    async with scene() as (victim, forger):
        loud = forger.flood(20, lambda number: (FORGED[number % 1000], "10.0.0.66"))
        flood = asyncio.create_task(loud)
        await asyncio.sleep(5)
        await finds_an_honest_peer(victim, within_s=1)
        await flood


@in_namespace()
@virtual_time
async def test_a_thousand_questions_a_second_are_no_amplifier() -> None:
    async with scene() as (victim, forger):
        before = victim.lan.stats.answers_sent
        query = encode_query(LABEL)
        await forger.flood(20, lambda number: (query, HOSTS[number % 249]))
        answers = victim.lan.stats.answers_sent - before
        assert 20 <= answers <= 5 * 21 < SENDS_PER_S * 20
        await finds_an_honest_peer(victim, within_s=1)


@in_namespace()
@virtual_time
async def test_packets_made_to_cost_much_and_to_leave_something_behind() -> None:
    async with scene() as (victim, forger):
        packets = [data for data in HOSTILE.values() if len(data) < 1500]

        def any_packet(number: int) -> tuple[bytes, str]:
            return packets[number % len(packets)], HOSTS[number % 249]

        await forger.flood(2, any_packet)
        tracemalloc.start()
        try:
            await forger.flood(2, any_packet)
            before = tracemalloc.get_traced_memory()[0]
            await forger.flood(8, any_packet)
            assert tracemalloc.get_traced_memory()[0] - before < 256 * 1024
        finally:
            tracemalloc.stop()
        assert victim.lan.stats.packets_limited > 0
        await asyncio.sleep(REPORT_WINDOW_S)
        await finds_an_honest_peer(victim, within_s=1)


@pytest.mark.parametrize("source", ["8.8.8.8", "10.0.1.7", "192.168.1.1", "169.254.1.1"])
@in_namespace()
@virtual_time
async def test_who_is_not_on_this_network_is_not_heard(source: str) -> None:
    async with scene() as (victim, forger):
        before = victim.lan.stats.answers_sent
        forger.send(encode_answer(LABEL, 4666, bytes(32)), source)
        forger.send(encode_query(LABEL), source)
        forger.send(encode_answer(LABEL, 4003, bytes(32)), "10.0.0.3")
        await asyncio.sleep(5)
        assert victim.found == {Address("10.0.0.3", 4003): 1}
        assert victim.lan.stats.answers_sent == before


@in_namespace()
@virtual_time
async def test_answers_for_topics_not_asked_and_answers_with_our_own_id() -> None:
    async with scene() as (victim, forger):
        own_id = victim.lan._mdns._id
        forger.send(encode_answer(topic_label(bytes(32)), 4666, bytes(32)), "10.0.0.3")
        forger.send(encode_answer(LABEL, 4666, own_id), "10.0.0.3")
        forger.send(encode_answer(LABEL, 4001, own_id), US)
        await asyncio.sleep(5)
        assert not victim.found
