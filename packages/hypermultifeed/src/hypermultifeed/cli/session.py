"""A command while it is connected: its folder, its networker, and what others may ask it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Final

from hypermultifeed.cli.folder import LocalFolder
from hypermultifeed.cli.network_options import written
from hypermultifeed.cli.running import UnreachableError
from hypermultifeed.cli.serving import ControlServer, FolderVerbs
from hypermultifeed.network.dht import DEFAULT_BOOTSTRAP
from hypermultifeed.network.networker import Networker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from hypermultifeed.cli.control import Conversation
    from hypermultifeed.cli.network_options import NetworkOptions
    from hypermultifeed.cli.network_view import DhtFacts, LanFacts, NetworkFacts, PeerFacts
    from hypermultifeed.cli.running import Opened
    from hypermultifeed.cli.serving import Fields, Verb
    from hypermultifeed.network.report import NetworkReport, PeerStatus


LOOK_EVERY_S: Final = 0.1
"""How often it is looked whether something has come to pass that nobody tells of."""

SYSTEM_ERRORS: Final = {
    "ConnectionRefusedError": "nobody listens there",
    "TimeoutError": "no answer",
}

PROBE_TIMEOUT_S: Final = 5.0
"""How long connecting may take when only the reason of the failure is wanted."""


class Session:
    """One connected command.

    Attributes:
        here: its multifeed.
        networker: its connections.
        options: how it was told to find peers.
        stopped: set when another command, or the system, has asked it to end.
    """

    def __init__(
        self, command: str, here: Opened, networker: Networker, options: NetworkOptions
    ) -> None:
        self.here = here
        self.networker = networker
        self.options = options
        self.stopped = asyncio.Event()
        self._command = command
        self._began = asyncio.get_running_loop().time()
        self._flushed = asyncio.Event()

    async def search(self) -> None:
        """Begin to look for peers; ends with the first round."""
        multi = self.here.multi
        for host, port in self.options.peers:
            self.networker.add_peer(host, port)
        await self.networker.swarm(multi)
        await self.networker.flushed(multi.discovery_key)
        self._flushed.set()

    @property
    def searched(self) -> bool:
        """Whether the first search is over, and everybody it found was dialled."""
        return self._flushed.is_set() and not self.networker.dialling

    async def wait_announced(self) -> None:
        """Wait until the DHT was asked once; whom it named may still be dialled."""
        status = self.networker.status
        topic = self.here.multi.discovery_key
        while not self._flushed.is_set():
            if self.options.dht and (joined := status(topic)) is not None and joined.rounds:
                break
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._flushed.wait()

    @property
    def is_hopeless(self) -> bool:
        """Whether all that could be tried was: only the peers that were named, and in vain."""
        return not self.options.searches and self.searched and not self.networker.peers

    async def probe(self) -> None:
        """Connect to the peers that were named once more, to say why it does not work.

        Raises:
            UnreachableError: nobody answers there.
        """
        for address in self.options.peers:
            try:
                async with asyncio.timeout(PROBE_TIMEOUT_S):
                    _, writer = await asyncio.open_connection(*address)
            except OSError as error:
                text = f"cannot connect to {written(address)}: {reason(error)}"
                raise UnreachableError(text) from error
            writer.close()

    async def check_named(self) -> None:
        """Wait for the first attempt to reach the peers that were named.

        Raises:
            UnreachableError: none of them can be.
        """
        while not self.searched:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(LOOK_EVERY_S)
        if self.is_hopeless:
            await self.probe()

    def facts(self) -> NetworkFacts:
        """All that is known, for JSON."""
        multi = self.here.multi
        report = self.networker.report()
        topic = next((one for one in report.topics if one.topic == multi.discovery_key), None)
        feeds = multi.feeds()
        return {
            "command": self._command,
            "process": os.getpid(),
            "running_s": round(asyncio.get_running_loop().time() - self._began, 1),
            "topic": multi.discovery_key.hex(),
            "public_key": report.public_key.hex(),
            "listening": [written(address) for address in report.addresses],
            "dht": self._dht_facts(report, None if topic is None else topic.error),
            "lan": lan_facts(report),
            "searched": self.searched,
            "found": 0 if topic is None else topic.found,
            "peers": [peer_facts(peer, multi.discovery_key) for peer in report.peers],
            "failures": [
                {
                    "address": written(one.address),
                    "error": failure_text(one.code, one.message),
                    "ago_s": round(one.ago_s, 1),
                }
                for one in report.failures
            ],
            "bytes_received": report.bytes_received,
            "bytes_sent": report.bytes_sent,
            "feeds": len(feeds),
            "blocks": sum(feed.length for feed in feeds),
            "stored": sum(feed.downloaded() for feed in feeds),
        }

    def _dht_facts(self, report: NetworkReport, error: str | None) -> DhtFacts | None:
        if report.dht is None:
            return None
        public = report.dht.public_address
        return {
            "nodes": report.dht.nodes,
            "bootstrap": self.options.bootstrap or list(DEFAULT_BOOTSTRAP),
            "public_address": None if public is None else written(public),
            "error": error,
        }

    def verbs(self) -> dict[str, Verb]:
        """What another command can ask about this one."""
        return {"network": self._network, "stop": self._stop}

    async def _network(self, conversation: Conversation, _fields: Fields) -> Fields:
        """Peers one by one: all of them might be too much for one message."""
        facts: Fields = {**self.facts()}
        for peer in facts.pop("peers"):
            await conversation.send({"peer": peer})
        await conversation.send({"network": facts})
        return {}

    async def _stop(self, _conversation: Conversation, _fields: Fields) -> Fields:
        self.stopped.set()
        return {"command": self._command, "process": os.getpid()}


def reason(error: OSError) -> str:
    """Why a connection failed, without the numbers."""
    if isinstance(error, TimeoutError):
        return f"no answer within {PROBE_TIMEOUT_S:.0f} s"
    return error.strerror or str(error)


def failure_text(code: str, message: str) -> str:
    """Why a connection came to nothing; the system's own errors without their numbers."""
    if code.startswith("ERR_"):
        return f"{message} [{code}]"
    return SYSTEM_ERRORS.get(code) or re.sub(r"^\[Errno -?\d+\] ", "", message) or code


def peer_facts(peer: PeerStatus, topic: bytes) -> PeerFacts:
    """One peer, for JSON."""
    return {
        "address": written(peer.address),
        "key": peer.public_key.hex(),
        "dialled": peer.initiator,
        "local": peer.local,
        "shares": topic in peer.topics,
        "connected_s": round(peer.connected_s, 1),
        "bytes_received": peer.bytes_received,
        "bytes_sent": peer.bytes_sent,
        "received_per_s": round(peer.received_per_s, 1),
        "sent_per_s": round(peer.sent_per_s, 1),
    }


def lan_facts(report: NetworkReport) -> LanFacts | None:
    """The LAN, for JSON."""
    return None if report.lan is None else {"interfaces": list(report.lan.interfaces)}


@asynccontextmanager
async def connected(
    command: str, here: Opened, folder: Path, options: NetworkOptions
) -> AsyncIterator[Session]:
    """Look for peers and replicate with them, and answer other commands meanwhile.

    Raises:
        OSError: the port is taken, or the host is not this machine's.
    """
    networker = Networker(
        here.multi.corestore,
        bootstrap=DEFAULT_BOOTSTRAP if options.bootstrap is None else options.bootstrap,
        dht=options.dht,
        mdns=options.lan,
        host=options.host,
        port=options.port,
        allow_loopback=options.loopback,
        address_filter=options.allows,
        connections_max=options.peers_max,
    )
    session = Session(command, here, networker, options)
    verbs = {**FolderVerbs(LocalFolder(here)).verbs(), **session.verbs()}
    async with ControlServer(folder, verbs), networker, asyncio.TaskGroup() as group:
        searching = group.create_task(session.search())
        with ended_by_the_system(session.stopped):
            yield session
        searching.cancel()


@contextmanager
def ended_by_the_system(stopped: asyncio.Event) -> Iterator[None]:
    """End in order on SIGTERM too, which service managers send; Windows has none."""
    if sys.platform == "win32":
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
