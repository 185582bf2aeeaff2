"""Runs a test inside a network of its own, which no packet can leave.

::

    @in_namespace()
    async def test_two_peers_meet() -> None:
        async with JsPeer("discovery") as peer: ...

The test runs on an event loop in a thread of its own, and that thread alone moves into a new
network namespace: everything the test opens, and every process it starts, lives there, while the
rest of pytest stays where it was. The namespace vanishes with the last socket in it.

There is a loopback interface that carries multicast (224.0.0.0/4 is routed to it, as mDNS needs).
``add_interface`` makes others, with a private address. Needs Linux and the right to unshare; where
these are missing the test is skipped.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import inspect
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CLONE_NEWNET = 0x40000000
TEST_S = 60.0  # no test waits for time to pass; this only ends one that hangs


def ip(command: str) -> None:
    """Run ``ip`` with a command, in the namespace of the calling thread."""
    done = subprocess.run(["ip", *command.split()], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"ip {command}: {done.stderr.strip()}")


def add_interface(name: str, address: str) -> None:
    """Add an interface that is up, with an address like ``192.168.7.1/24``; nothing is behind it.

    What is sent to a multicast group comes back to this machine, as on any other interface.
    """
    ip(f"link add {name} type veth peer name {name}-end")
    ip(f"link set {name}-end up")
    ip(f"address add {address} dev {name}")
    ip(f"link set {name} up multicast on")


def remove_interface(name: str) -> None:
    """Take an interface of ``add_interface`` away again."""
    ip(f"link delete {name}")


def _enter(loopback_source: str | None) -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare: no right to make a network namespace")
    ip("link set lo up multicast on")
    ip("route add 224.0.0.0/4 dev lo")
    if loopback_source is not None:
        for network in ("127.0.0.0/8", "127.0.0.1"):
            route = f"local {network} dev lo proto kernel scope host src {loopback_source}"
            ip(f"route replace {route} table local")


def _in_thread(work: Callable[[], object]) -> None:
    """Run in a thread, whose namespace ends with it, and raise here what it raised."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as failure:  # pytest's outcomes are no Exceptions
            failures.append(failure)

    thread = threading.Thread(target=run, name="namespace")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


@functools.cache
def why_no_namespace() -> str | None:
    """Say why no network namespace can be made here, or None."""
    if sys.platform != "linux":
        return "network namespaces need Linux"
    if shutil.which("ip") is None:
        return "ip is not installed (iproute2)"
    try:
        _in_thread(lambda: _enter(None))
    except OSError as error:
        return f"no network namespace: {error}"
    return None


def in_namespace(
    *, loopback_source: str | None = None
) -> Callable[[Callable[..., Awaitable[None] | None]], Callable[..., None]]:
    """Run a test in a new network namespace (see the module).

    If it is asynchronous, on an event loop of its own; a decorator below may bring another.

    Args:
        loopback_source: the address that connections over loopback come from, instead of
            127.0.0.1, which JavaScript's networker ignores; for instance ``127.0.0.2``.
    """

    def decorate(test: Callable[..., Awaitable[None] | None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(*arguments: object, **named: object) -> None:
            if (reason := why_no_namespace()) is not None:
                pytest.skip(reason)

            def inside() -> None:
                _enter(loopback_source)
                outcome = test(*arguments, **named)
                if inspect.isawaitable(outcome):
                    asyncio.run(_bounded(outcome))

            _in_thread(inside)

        return run

    return decorate


async def _bounded(outcome: Awaitable[None]) -> None:
    async with asyncio.timeout(TEST_S):
        await outcome
