"""Messages of applications to all peers of a networker.

They travel on channel 0 of each stream, as @corestore/networker's do. Several extensions may
have one name; each of them gets every message of that name, and decodes it its own way.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hypermultifeed.replication.extensions import resolve_extension_codec
from hypermultifeed.stream import guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hypermultifeed.codecs import Codec
    from hypermultifeed.network.peer import NetworkPeer
    from hypermultifeed.replication.extensions import Extension


class NetworkExtension:
    """An extension on every connection of a networker, those to come included.

    Attributes:
        name: what the two sides match by.
    """

    def __init__(
        self,
        extensions: NetworkExtensions,
        name: str,
        codec: Codec,
        on_message: Callable[[Any, Any], None] | None,
        on_error: Callable[[Exception, Any], None] | None,
    ) -> None:
        self.name = name
        self._extensions = extensions
        self._codec = codec
        self._on_message = guarded(on_message, name)
        self._on_error = guarded(on_error, name)

    def send(self, message: object, peer: NetworkPeer) -> None:
        """Send to one peer, whether or not it knows the name; nothing happens if it has left."""
        self._extensions.send(self.name, self._codec.encode(message), [peer])

    def broadcast(self, message: object) -> int:
        """Send to every peer; returns to how many."""
        return self._extensions.send(self.name, self._codec.encode(message), None)

    def destroy(self) -> None:
        """Unregister; nothing more is delivered. Idempotent."""
        self._extensions.remove(self)

    def deliver(self, payload: bytes, peer: NetworkPeer) -> None:
        """Decode a message and hand it on."""
        if self._on_message is None:
            return
        try:
            message = self._codec.decode(payload)
        except (ValueError, RecursionError) as error:
            if self._on_error is not None:
                self._on_error(error, peer)
            return
        self._on_message(message, peer)


class NetworkExtensions:
    """All of them, and the peers they are registered with."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[NetworkExtension]] = {}
        self._on_peers: dict[NetworkPeer, dict[str, Extension]] = {}

    def register(
        self,
        name: str,
        encoding: str | Codec,
        on_message: Callable[[Any, Any], None] | None,
        on_error: Callable[[Exception, Any], None] | None,
    ) -> NetworkExtension:
        """Register one more; see `Networker.register_extension`."""
        codec = resolve_extension_codec(encoding)
        extension = NetworkExtension(self, name, codec, on_message, on_error)
        if name not in self._by_name:
            if any(peer.stream.session.extensions.get(name) for peer in self._on_peers):
                raise ValueError(f"a stream has an extension named {name!r} already")
            for peer in self._on_peers:
                self._add(name, peer)
        self._by_name.setdefault(name, []).append(extension)
        return extension

    def remove(self, extension: NetworkExtension) -> None:
        """Forget one."""
        siblings = self._by_name.get(extension.name, [])
        if extension not in siblings:
            return
        siblings.remove(extension)
        if not siblings:
            del self._by_name[extension.name]
            for registered in self._on_peers.values():
                registered.pop(extension.name).destroy()

    def attach(self, peer: NetworkPeer) -> None:
        """A peer has come."""
        self._on_peers[peer] = {}
        for name in self._by_name:
            self._add(name, peer)

    def detach(self, peer: NetworkPeer) -> None:
        """A peer has left."""
        self._on_peers.pop(peer, None)

    def send(self, name: str, payload: bytes, peers: Iterable[NetworkPeer] | None) -> int:
        """Send to these peers, or to all; returns to how many."""
        count = 0
        for peer in list(self._on_peers) if peers is None else peers:
            extension = self._on_peers.get(peer, {}).get(name)
            if extension is not None and not peer.stream.session.closed:
                peer.stream.session.send_extension(extension, payload)
                count += 1
        return count

    def _add(self, name: str, peer: NetworkPeer) -> None:
        self._on_peers[peer][name] = peer.stream.register_extension(
            name, on_message=partial(self._deliver, name, peer)
        )

    def _deliver(self, name: str, peer: NetworkPeer, payload: bytes, _session: object) -> None:
        for extension in list(self._by_name.get(name, ())):
            extension.deliver(payload, peer)
