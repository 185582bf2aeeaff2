"""Every error the library raises, in one tree.

::

    HypermultifeedError
    ├── NotReadyError                  replicate() before ready()
    ├── ClosedError                    use after close()
    ├── StorageError                   which file, which offset
    │   ├── CorruptStorageError        the bytes on disk cannot be what we wrote
    │   └── StorageLockedError         names the holder
    ├── FeedError                      which feed, which index
    │   ├── NotWritableError           no secret key for this feed
    │   ├── BlockMissingError          the block is not here; also a LookupError
    │   ├── BlockTooLargeError         refused before anything changed; also a ValueError
    │   ├── VerificationError          a hash or signature does not match
    │   └── ForkError                  two signed histories of one feed; carries both signed roots
    ├── ReplicationError
    │   ├── ProtocolError              abstract: raise one of the two below
    │   │   ├── LocalProtocolError     we asked for what the protocol forbids
    │   │   └── RemoteProtocolError    the peer did what the protocol forbids
    │   │       ├── HandshakeError
    │   │       ├── CapabilityError
    │   │       ├── VersionMismatchError
    │   │       └── ClientMismatchError
    │   ├── ReplicationTimeoutError    also a TimeoutError
    │   └── StreamClosedError          chained to its cause
    └── DiscoveryError
        └── BootstrapError

Every class has a stable ``code`` (text, upper case); what is known about the failure is in
attributes, so that a program need not parse messages.
"""

from __future__ import annotations

from typing import ClassVar


class HypermultifeedError(Exception):
    """Base of all errors raised on purpose by this library."""

    code: ClassVar[str] = "ERR_HYPERMULTIFEED"


class NotReadyError(HypermultifeedError):
    """Something was asked of an object before its ``ready()`` was awaited."""

    code = "ERR_NOT_READY"


class ClosedError(HypermultifeedError):
    """Something was asked of an object after its ``close()``."""

    code = "ERR_CLOSED"


class StorageError(HypermultifeedError):
    """Reading or writing storage failed.

    Attributes:
        file: name of the file within the storage, or None.
        offset: byte offset in it, or None.
    """

    code = "ERR_STORAGE"

    def __init__(self, message: str, *, file: str | None = None, offset: int | None = None) -> None:
        super().__init__(message)
        self.file = file
        self.offset = offset

    def __str__(self) -> str:
        place = "" if self.file is None else f" (file {self.file}"
        if place:
            place += ")" if self.offset is None else f", byte {self.offset})"
        return f"{self.args[0]}{place}"


class CorruptStorageError(StorageError):
    """The bytes on disk cannot be what was written."""

    code = "ERR_STORAGE_CORRUPT"


class StorageLockedError(StorageError):
    """Another process, or another object in this one, has the folder open.

    Attributes:
        holder: what is known about it, such as ``"process 4711"``.
    """

    code = "ERR_STORAGE_LOCKED"

    def __init__(self, message: str, *, holder: str, file: str | None = None) -> None:
        super().__init__(message, file=file)
        self.holder = holder


class FeedError(HypermultifeedError):
    """Something is wrong with one feed.

    Attributes:
        key: the feed's public key, or None.
        index: the block concerned, or None.
    """

    code = "ERR_FEED"

    def __init__(self, message: str, *, key: bytes | None = None, index: int | None = None) -> None:
        super().__init__(message)
        self.key = key
        self.index = index


class NotWritableError(FeedError):
    """An append to a feed whose secret key is not here."""

    code = "ERR_NOT_WRITABLE"


class BlockMissingError(FeedError, LookupError):
    """The block is not stored here, and nobody was asked or nobody answered."""

    code = "ERR_BLOCK_MISSING"


class BlockTooLargeError(FeedError, ValueError):
    """A block above the limit; nothing was changed."""

    code = "ERR_BLOCK_TOO_LARGE"


class VerificationError(FeedError):
    """A hash or a signature does not match."""

    code = "ERR_VERIFICATION"


class ForkError(FeedError):
    """Two different signed histories of one feed exist.

    Attributes:
        ours, theirs: ``(length, tree_hash, signature)`` of each signed root.
    """

    code = "ERR_FORK"

    def __init__(
        self,
        message: str,
        *,
        ours: tuple[int, bytes, bytes],
        theirs: tuple[int, bytes, bytes],
        key: bytes | None = None,
    ) -> None:
        super().__init__(message, key=key)
        self.ours = ours
        self.theirs = theirs


class ReplicationError(HypermultifeedError):
    """A replication stream failed."""

    code = "ERR_REPLICATION"


class ProtocolError(ReplicationError):
    """Abstract: the protocol was broken; the subclass says by whom."""

    code = "ERR_PROTOCOL"

    def __init__(self, message: str) -> None:
        if type(self) is ProtocolError:
            raise TypeError("raise LocalProtocolError or RemoteProtocolError instead")
        super().__init__(message)


class LocalProtocolError(ProtocolError):
    """We asked for what the protocol forbids."""

    code = "ERR_LOCAL_PROTOCOL"


class RemoteProtocolError(ProtocolError):
    """The peer did what the protocol forbids; its connection is over."""

    code = "ERR_REMOTE_PROTOCOL"


class HandshakeError(RemoteProtocolError):
    """The Noise handshake failed."""

    code = "ERR_HANDSHAKE"


class CapabilityError(RemoteProtocolError):
    """The peer opened a channel without proof that it knows the key."""

    code = "ERR_CAPABILITY"


class VersionMismatchError(RemoteProtocolError):
    """The peer's multifeed protocol has another major version."""

    code = "ERR_VERSION_MISMATCH"

    def __init__(self, us_version: str, them_version: str) -> None:
        super().__init__(
            f"protocol versions differ: ours is {us_version}, theirs is {them_version}"
        )
        self.us_version = us_version
        self.them_version = them_version


class ClientMismatchError(RemoteProtocolError):
    """The peer speaks for another application than multifeed."""

    code = "ERR_CLIENT_MISMATCH"

    def __init__(self, us_client: str, them_client: str) -> None:
        super().__init__(f"clients differ: ours is {us_client}, theirs is {them_client}")
        self.us_client = us_client
        self.them_client = them_client


class ReplicationTimeoutError(ReplicationError, TimeoutError):
    """The peer did not do in time what it had to do."""

    code = "ERR_TIMEOUT"


class StreamClosedError(ReplicationError):
    """The replication stream is closed; ``__cause__`` says why, where there is a reason."""

    code = "ERR_STREAM_CLOSED"


class DiscoveryError(HypermultifeedError):
    """Finding peers failed."""

    code = "ERR_DISCOVERY"


class BootstrapError(DiscoveryError):
    """No bootstrap node answered."""

    code = "ERR_BOOTSTRAP"
