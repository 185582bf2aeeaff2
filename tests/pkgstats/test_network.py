"""Multifeeds are replicated with peers as long as a node wants."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from hypermultifeed import Corestore, KeyPair, Multifeed, memory
from pkgstats.network import Network


async def test_who_is_named_gets_what_there_is() -> None:
    key = KeyPair.generate().public_key
    async with AsyncExitStack() as stack, asyncio.timeout(30):
        enter = stack.enter_async_context
        ours, theirs = await enter(Corestore(memory())), await enter(Corestore(memory()))
        told, heard = await enter(Multifeed(ours, key=key)), await enter(Multifeed(theirs, key=key))
        added = stack.enter_context(heard.events())
        feed = await told.writer("facts")
        await feed.append(b"a fact")
        source = await enter(Network.only_loopback().joined(ours, [told]))
        plan = Network.only_loopback(*source.addresses)
        await enter(plan.joined(theirs, [heard]))
        copy = (await anext(added)).feed
        assert copy.key == feed.key
        assert await copy.get(0) == b"a fact"


async def test_alone_nobody_is_looked_for() -> None:
    plan = Network.only_loopback()
    assert not plan.dht
    assert not plan.lan
    assert plan.host == "127.0.0.1"
