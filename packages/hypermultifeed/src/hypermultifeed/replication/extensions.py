"""Extension messages: names, numbers, and who gets what.

Each scope (one feed, or the stream itself) has its own names. A sender numbers its names in
sorted order and tells the list in an Options message; the numbers on the wire are always the
sender's (abstract-extension 3, index.js).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from hypermultifeed.codecs import JSON_WITHOUT_NEWLINE, resolve_codec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hypermultifeed.codecs import Codec

MAX_REMOTE_EXTENSIONS: Final = 1024
"""Names of a peer that are looked at; a longer list is cut."""

MAX_REMOTE_NAMES_CHARS: Final = 16_384
"""Characters of all those names together; the list is cut before the name that goes beyond."""


class ExtensionPeer(Protocol):
    """Somebody to whom an extension message can be sent."""

    def send_extension(self, extension: Extension, payload: bytes) -> None:
        """Send one encoded message of ``extension``."""


class Extension:
    """One registered extension.

    Attributes:
        name: what the two sides match by.
        id: its number in what we send; changes when names are added or removed, -1 once removed.
        codec: how messages become bytes.
    """

    __slots__ = ("_registry", "codec", "id", "name", "on_error", "on_message")

    def __init__(
        self,
        registry: ExtensionRegistry,
        name: str,
        codec: Codec,
        on_message: Callable[[Any, Any], None] | None,
        on_error: Callable[[Exception, Any], None] | None,
    ) -> None:
        self._registry = registry
        self.name = name
        self.codec = codec
        self.id = -1
        self.on_message = on_message
        self.on_error = on_error

    def send(self, message: object, peer: ExtensionPeer) -> None:
        """Encode and send ``message`` to one peer, whether or not it knows the name."""
        peer.send_extension(self, self.codec.encode(message))

    def broadcast(self, message: object) -> int:
        """Send ``message`` to every peer of the scope; returns to how many."""
        payload = self.codec.encode(message)
        peers = list(self._registry.peers())
        for peer in peers:
            peer.send_extension(self, payload)
        return len(peers)

    def destroy(self) -> None:
        """Unregister; messages of that name are no longer delivered."""
        self._registry.remove(self)

    def deliver(self, payload: bytes, context: object) -> None:
        """Decode ``payload`` and hand it to ``on_message``; a bad one goes to ``on_error``."""
        if self.on_message is None:
            return
        try:
            message = self.codec.decode(payload)
        except (ValueError, RecursionError) as error:
            if self.on_error is not None:
                self.on_error(error, context)
            return
        self.on_message(message, context)


class ExtensionRegistry:
    """The extensions of one scope on our side.

    Attributes:
        version: grows with every change, so that a holder knows when to send Options again.
        on_change: called after every change.
        peers: gives everyone a broadcast goes to.
    """

    __slots__ = ("_by_name", "on_change", "peers", "version")

    def __init__(
        self,
        *,
        on_change: Callable[[], None] | None = None,
        peers: Callable[[], Iterable[ExtensionPeer]] = tuple,
    ) -> None:
        self._by_name: dict[str, Extension] = {}
        self.on_change = on_change
        self.peers = peers
        self.version = 0

    def __len__(self) -> int:
        return len(self._by_name)

    def add(
        self,
        name: str,
        *,
        encoding: str | Codec = "binary",
        on_message: Callable[[Any, Any], None] | None = None,
        on_error: Callable[[Exception, Any], None] | None = None,
    ) -> Extension:
        """Register ``name``.

        ``on_message(message, peer)`` gets what arrives; ``on_error(error, peer)`` what cannot be
        decoded. A ``"json"`` message has no newline at its end, unlike a ``"json"`` block.

        Raises:
            ValueError: the name is taken.
        """
        if name in self._by_name:
            raise ValueError(f"an extension named {name!r} is registered already")
        codec = resolve_extension_codec(encoding)
        extension = Extension(self, name, codec, on_message, on_error)
        self._by_name[name] = extension
        self._changed()
        return extension

    def remove(self, extension: Extension) -> None:
        """Forget ``extension``; no error when it is gone already."""
        if self._by_name.get(extension.name) is extension:
            del self._by_name[extension.name]
            extension.id = -1
            self._changed()

    def get(self, name: str) -> Extension | None:
        """The extension of that name, or None."""
        return self._by_name.get(name)

    def names(self) -> list[str]:
        """All names in the order of their numbers."""
        return list(self._by_name)

    def _changed(self) -> None:
        # JavaScript compares strings by UTF-16 code units, which is not the order of code points.
        ordered = sorted(self._by_name.items(), key=lambda item: _utf16(item[0]))
        self._by_name = dict(ordered)
        for number, (_, extension) in enumerate(ordered):
            extension.id = number
        self.version += 1
        if self.on_change is not None:
            self.on_change()


class RemoteExtensions:
    """What one peer calls its extensions, matched with ours by name.

    Matching by name accepts more than JavaScript does, which walks both lists in step and loses
    names of a peer whose list is not sorted.
    """

    __slots__ = ("_names", "_registry")

    def __init__(self, registry: ExtensionRegistry) -> None:
        self._registry = registry
        self._names: list[str] = []

    def update(self, names: Sequence[str]) -> None:
        """Take the list of an Options message; it replaces the former one."""
        self._names = bounded_names(names)

    def supports(self, extension: Extension) -> bool:
        """Whether the peer has told that it knows ``extension``."""
        return extension.name in self._names

    def deliver(self, extension_id: int, payload: bytes, context: object) -> bool:
        """Hand a message to its extension; False when nobody here knows it."""
        if extension_id >= len(self._names):
            return False
        extension = self._registry.get(self._names[extension_id])
        if extension is None:
            return False
        extension.deliver(payload, context)
        return True


def bounded_names(names: Sequence[str]) -> list[str]:
    """As much of a peer's list of names as is kept of it."""
    kept = []
    room = MAX_REMOTE_NAMES_CHARS
    for name in names[:MAX_REMOTE_EXTENSIONS]:
        room -= len(name)
        if room < 0:
            break
        kept.append(name)
    return kept


def resolve_extension_codec(encoding: str | Codec) -> Codec:
    """The codec of an extension: as for blocks, but JSON without its newline."""
    return JSON_WITHOUT_NEWLINE if encoding == "json" else resolve_codec(encoding)


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")
