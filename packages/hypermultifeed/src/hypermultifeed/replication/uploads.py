"""Answering one peer of one feed: what we have, and blocks with their proofs."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from hypermultifeed.errors import BlockMissingError, CorruptStorageError
from hypermultifeed.feed.merkle import ProofMemory
from hypermultifeed.replication.wants import MAX_WANTS_PENDING, WANT_LENGTH
from hypermultifeed.wire.messages import (
    MessageType,
    data_parts,
    encode_data,
    encode_have,
    encode_unhave,
)

if TYPE_CHECKING:
    from hypermultifeed.replication.feed_peer import FeedPeer
    from hypermultifeed.wire.messages import Request, Want

HAVE: Final = MessageType.HAVE
UNHAVE: Final = MessageType.UNHAVE
DATA: Final = MessageType.DATA

WANT_ALIGN: Final = 8192
"""Wants with another start or length are ignored, as JavaScript does."""

RUN_BLOCKS: Final = 64
RUN_BYTES: Final = 1 << 18
"""Blocks asked for in a row are read together, about so many and about so much."""

PARTS_BYTES: Final = 4096
"""Blocks from this size on are not copied into their message, but sent beside it."""


class Uploads:
    """What one peer has asked for and was not answered yet.

    Attributes:
        queue: requests by block, byte offset and whether only the proof is wanted, with their
            digests. What is asked for twice is answered once.
        served_at: when something was last asked for or sent.
        wanted: the peer has asked what we have, and is told of news.
    """

    __slots__ = (
        "_asked",
        "_last_sought",
        "_memory",
        "_peer",
        "_read",
        "_unchecked",
        "queue",
        "served_at",
        "wanted",
    )

    def __init__(self, peer: FeedPeer) -> None:
        self._peer = peer
        self.queue: dict[tuple[int, int, bool], int] = {}
        self.served_at = 0.0
        self.wanted = False
        self._asked: list[Want] = []
        self._memory = ProofMemory()
        self._last_sought = -1
        self._read: dict[int, bytes] = {}
        self._unchecked: deque[int] = deque(maxlen=RUN_BLOCKS)

    # --- what the peer asks

    def want(self, want: Want) -> None:
        """The peer asks what we have of a range."""
        if want.start % WANT_ALIGN or want.length % WANT_ALIGN:
            return
        if want not in self._asked and len(self._asked) < MAX_WANTS_PENDING:
            self._asked.append(want)

    def request(self, request: Request) -> None:
        """The peer asks for a block or a proof."""
        index, byte_offset, only_hash, digest = request
        key = (index, byte_offset, only_hash)
        if key not in self.queue:
            self._peer.channel.session.queued_requests += 1
        self.queue[key] = digest

    def cancel(self, index: int, byte_offset: int, *, only_hash: bool) -> None:
        """The peer takes a request back."""
        if self.queue.pop((index, byte_offset, only_hash), None) is not None:
            self._peer.channel.session.queued_requests -= 1

    def clear(self) -> None:
        """Answer nothing that was asked so far."""
        self._peer.channel.session.queued_requests -= len(self.queue)
        self.queue.clear()
        self._asked.clear()
        self._read.clear()

    def check_sent(self) -> list[int]:
        """The peer is gone, perhaps because of a damaged block: check those last sent.

        Returns those that were damaged, which are forgotten.
        """
        log = self._peer.log
        sent = [index for index in self._unchecked if log.has(index)]
        self._unchecked.clear()
        log.check_blocks(sent)
        return [index for index in sent if not log.has(index)]

    # --- answering

    def serve(self, now: float) -> None:
        """Answer what was asked, as long as the output has room."""
        if self._asked:
            self._tell()
        if not self.queue:
            return
        queue = self.queue
        channel = self._peer.channel
        self.served_at = now
        before = len(queue)
        while queue and self._peer.uploading:
            if channel.output_full:
                channel.wait_for_drain()
                break
            key = next(iter(queue))
            self._answer(*key, queue.pop(key))
        channel.session.queued_requests -= before - len(queue)
        if not queue:
            self._read.clear()

    def _tell(self) -> None:
        asked, self._asked = self._asked, []
        log, channel = self._peer.log, self._peer.channel
        for start, length in asked:
            last = log.length - 1
            if not self.wanted and last >= 0 and log.has(last):
                channel.send(HAVE, encode_have(last))
            self.wanted = True
            bits = log.have_bitfield(start, min(length, WANT_LENGTH))
            channel.send(HAVE, encode_have(start, length, bits))

    def _answer(self, index: int, byte_offset: int, only_hash: bool, digest: int) -> None:
        peer = self._peer
        log = peer.log
        if byte_offset:
            try:
                found = log.seek(byte_offset)[0]
            except (BlockMissingError, ValueError):
                pass  # answered as it is; the asker gets nearer
            else:
                if byte_offset == self._last_sought:
                    return  # JavaScript asks for one byte with many blocks
                self._last_sought = byte_offset
                index, digest = found, 0
        try:
            value = None if only_hash else self._block(index)
            # Who says to have nothing gets everything, whatever it said before.
            memory = self._memory if digest or byte_offset else None
            nodes, signature = log.proof(index, digest=digest, hash=only_hash, memory=memory)
        except (BlockMissingError, CorruptStorageError):
            self._refuse(index)
            return
        encode = data_parts if value is not None and len(value) >= PARTS_BYTES else encode_data
        peer.channel.send(DATA, encode(index, value, nodes, signature))
        if value is not None:
            peer.stats.uploaded_blocks += 1
            peer.stats.uploaded_bytes += len(value)
            peer.sync.observer.on_uploaded(peer, index, len(value))
            if not peer.live:
                peer.remote.set_range(index, 1)

    def _block(self, index: int) -> bytes:
        """A block, read together with those asked for behind it."""
        value = self._read.pop(index, None)
        if value is not None:
            return value
        queue = self.queue
        log = self._peer.log
        most = min(RUN_BLOCKS, 1 + RUN_BYTES // max(1, self._peer.sync.block_size()))
        stop = index + 1
        while stop - index < most and (stop, 0, False) in queue and log.has(stop):
            stop += 1
        blocks = log.get_run(index, stop, check=False)  # the peer checks them anyway
        if not blocks:
            raise BlockMissingError("no such block", index=index)
        self._unchecked.extend(range(index, stop))
        self._read = dict(zip(range(index + 1, stop), blocks[1:], strict=True))
        return blocks[0]

    def _refuse(self, index: int) -> None:
        self._peer.stats.refused += 1
        self._peer.channel.send(UNHAVE, encode_unhave(index))

    # --- news

    def announce(self, start: int, length: int) -> None:
        """Tell the peer of new blocks, if it ever asked what there is."""
        if self.wanted:
            self._peer.channel.send(HAVE, encode_have(start, length if length > 1 else None))

    def unannounce(self, start: int, length: int) -> None:
        """Tell the peer of blocks that are gone."""
        if self.wanted:
            self._peer.channel.send(UNHAVE, encode_unhave(start, length))
