"""A feed's files and what is not yet written to them, behind one view.

What was put but not flushed is held in dictionaries; everything that reads looks there first.
"""

from __future__ import annotations

import struct
from array import array
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from hypermultifeed import crypto
from hypermultifeed.encoding.node import Node
from hypermultifeed.errors import BlockMissingError, CorruptStorageError
from hypermultifeed.feed import flat_tree, layout
from hypermultifeed.feed.feed_bits import FeedBits
from hypermultifeed.feed.files import Write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hypermultifeed.feed.files import Files
    from hypermultifeed.feed.verification import SignedRoot

Root = tuple[int, bytes, int]
"""A root as it is hashed: node index, hash, size."""

_GROUP_SHIFT: Final = 6
_GROUP_BLOCKS: Final = 1 << _GROUP_SHIFT
_GROUP_LEAVES: Final = int.from_bytes(b"\xaa" * (_GROUP_BLOCKS // 4), "big")
_GROUPS_MAX: Final = 1024
"""Offsets kept in memory: two generations of this many groups, at most 600 bytes each."""

SIGNATURES_SEARCHED_MAX: Final = 2**22
"""Lengths among which a signature is looked for. A batch of more blocks has none inside."""

_CHECKED_SHIFT: Final = 10
_JOIN_BYTES_MAX: Final = 4096
_NO_GROUP: Final = array("Q")
_LEAF_SIZES: Final = struct.Struct(">32xQ40x")


class FeedStore:
    """Blocks, nodes, signatures and bits of one feed.

    Attributes:
        bits: which blocks and nodes there are.
        nodes, values, signatures: put since the last flush; nodes as in ``tree``, values with
            their offset in ``data``, signatures by the length they are for.
    """

    __slots__ = (
        "_bitfield", "_checked", "_data", "_end", "_files", "_older", "_recent", "_signatures",
        "_tree", "bits", "key", "nodes", "prefix", "signatures", "values",
    )  # fmt: skip

    def __init__(self, files: Files, prefix: str, key: bytes, page_bytes: int) -> None:
        self._files = files
        self.prefix = prefix
        self.key = key
        self._tree = files.file(prefix + layout.TREE)
        self._data = files.file(prefix + layout.DATA)
        self._signatures = files.file(prefix + layout.SIGNATURES)
        self._bitfield = files.file(prefix + layout.BITFIELD)
        self.bits = FeedBits(page_bytes)
        self.load_bits()

    def load_bits(self) -> None:
        """Forget everything that is not in the files."""
        page_bytes = self.bits.pages.size
        stored = -(-max(0, self._bitfield.size - layout.HEADER_BYTES) // page_bytes)
        self.bits = FeedBits(page_bytes, stored, self._read_pages)
        self.nodes: dict[int, bytes] = {}
        self.values: dict[int, tuple[int, bytes]] = {}
        self.signatures: dict[int, bytes] = {}
        self._recent: dict[int, array[int]] = {}
        self._older: dict[int, array[int]] = {}
        self._checked: dict[int, int] = {}
        self._end = (0, 0)  # the block behind the last one put, and where it begins

    def _read_pages(self, number: int, count: int) -> bytes:
        size = self.bits.pages.size
        return self._bitfield.read(layout.HEADER_BYTES + size * number, size * count)

    # -- tree ---------------------------------------------------------------------------------

    def entry(self, node: int) -> bytes:
        """A known node as it is stored: hash, then size as 8 bytes.

        Raises:
            CorruptStorageError: the bits say that it is there, but it is not.
        """
        entry = self.nodes.get(node)
        if entry is None:
            entry = self._tree.read(40 * node + 32, 40)
            if len(entry) != layout.NODE_BYTES or entry == layout.BLANK_NODE:
                raise CorruptStorageError(
                    f"node {node} is missing", file=self._tree.name, offset=40 * node + 32
                )
        return entry

    def known(self, node: int) -> bytes | None:
        """The node as it is stored, None if it is not known; one that got lost no longer is."""
        if not self.bits.tree.get(node):
            return None
        try:
            return self.entry(node)
        except CorruptStorageError:
            self.bits.tree.clear(node)
            return None

    def node(self, node: int) -> Node:
        """A known node. Raises CorruptStorageError."""
        entry = self.entry(node)
        return Node(node, entry[:32], int.from_bytes(entry[32:], "big"))

    def size(self, node: int) -> int:
        """How many bytes of blocks are below a known node. Raises CorruptStorageError."""
        return int.from_bytes(self.entry(node)[32:], "big")

    def roots(self, length: int) -> list[Root]:
        """The roots of a length.

        Raises:
            BlockMissingError: one of them is not known.
            CorruptStorageError: one of them is not there.
        """
        known = self.bits.tree.get
        roots = []
        for root in flat_tree.full_roots(length):
            if not known(root):
                raise BlockMissingError(
                    f"the roots of length {length} are not all known", key=self.key, index=root // 2
                )
            roots.append(tuple(self.node(root)))
        return roots  # type: ignore[return-value] # a Node is such a tuple

    def holds(self, node: int, entry: bytes) -> bool:
        """Whether exactly this is stored as that node, whatever the bits say."""
        found = self.nodes.get(node) or self._tree.read(layout.node_offset(node), 40)
        return found == entry

    def stored_roots(self, length: int) -> list[Root] | None:
        """What the file has in the places of a length's roots, None if one is blank."""
        roots = []
        for root in flat_tree.full_roots(length):
            entry = self._tree.read(layout.node_offset(root), layout.NODE_BYTES)
            if len(entry) != layout.NODE_BYTES or entry == layout.BLANK_NODE:
                return None
            roots.append((root, entry[:32], int.from_bytes(entry[32:], "big")))
        return roots

    def signature(self, length: int) -> bytes:
        """The signature over a length, empty if there is none."""
        signature = self.signatures.get(length)
        if signature is None:
            signature = self._signatures.read(layout.signature_offset(length), 64)
            if len(signature) != layout.SIGNATURE_BYTES or signature == layout.BLANK_SIGNATURE:
                return b""
        return signature

    @property
    def signed_length_max(self) -> int:
        """The last length for which there is room in the file of signatures."""
        stored = self._signatures.size - layout.HEADER_BYTES
        return max(0, stored // layout.SIGNATURE_BYTES, *self.signatures)

    def signed_lengths(self, below: int) -> Iterator[int]:
        """Lengths below that one that have a signature, longest first."""
        below = min(below, self.signed_length_max + 1)
        last = max(1, below - SIGNATURES_SEARCHED_MAX)
        while below > last:
            first = max(1, below - 1024)
            raw = self._signatures.read(layout.signature_offset(first), 64 * (below - first))
            for length in range(below - 1, first - 1, -1):
                at = 64 * (length - first)
                if length in self.signatures or raw[at : at + 64].strip(b"\0"):
                    yield length
            below = first

    def next_signed_length(self, length: int) -> int:
        """The first length from that one on that has a signature, 0 if there is none."""
        found = min((known for known in self.signatures if known >= length), default=0)
        stop = min(found or self.signed_length_max + 1, length + SIGNATURES_SEARCHED_MAX)
        while length < stop:
            end = min(stop, length + 1024)
            raw = self._signatures.read(layout.signature_offset(length), 64 * (end - length))
            rest = raw.lstrip(b"\0")
            if rest:
                return length + (len(raw) - len(rest)) // 64
            length = end
        return found

    # -- data ---------------------------------------------------------------------------------

    def place(self, index: int) -> tuple[int, int]:
        """Offset and size of a block in ``data``.

        Raises:
            BlockMissingError: sizes that are needed are not known.
            CorruptStorageError: they should be there, but are not.
        """
        group = self._recent.get(index >> _GROUP_SHIFT) or self._group(index >> _GROUP_SHIFT)
        at = index & (_GROUP_BLOCKS - 1)
        if at + 1 >= len(group):
            group = self._load_group(index >> _GROUP_SHIFT)
            if at + 1 >= len(group):
                return self.offset(index), self._known_size(2 * index)
        return group[at], group[at + 1] - group[at]

    def offset(self, index: int) -> int:
        """Where block ``index`` begins: the sizes of the roots to its left. Raises as place."""
        total = first = 0
        rest = index
        while rest:
            size = 1 << (rest.bit_length() - 1)
            total += self._known_size(2 * first + size - 1)
            first += size
            rest -= size
        return total

    def _known_size(self, node: int) -> int:
        if node not in self.nodes and not self.bits.tree.get(node):
            raise BlockMissingError(
                "sizes of blocks before this one are not known", key=self.key, index=node // 2
            )
        return self.size(node)

    def offset_with(self, index: int, came: dict[int, bytes]) -> int:
        """As :meth:`offset`, where some nodes have just come. Raises CorruptStorageError."""
        if self._end[0] == index:
            return self._end[1]
        total = first = 0
        rest = index
        while rest:
            size = 1 << (rest.bit_length() - 1)
            node = 2 * first + size - 1
            total += int.from_bytes((came.get(node) or self.entry(node))[32:], "big")
            first += size
            rest -= size
        return total

    def _group(self, number: int) -> array[int]:
        """Offsets of some blocks, from the older generation or computed anew."""
        group = self._older.get(number)
        if group is None:
            return self._load_group(number)
        self._keep(number, group)
        return group

    def _load_group(self, number: int) -> array[int]:
        first = number << _GROUP_SHIFT
        bits = int.from_bytes(self.bits.tree.read(first >> 2, (first + _GROUP_BLOCKS) >> 2), "big")
        missing = ~bits & _GROUP_LEAVES
        count = _GROUP_BLOCKS - (missing.bit_length() + 1) // 2
        if not count or (self.nodes and any(2 * first <= n < 2 * first + 128 for n in self.nodes)):
            return _NO_GROUP
        raw = self._tree.read(layout.node_offset(2 * first), 80 * count - 40)
        if len(raw) != 80 * count - 40:
            return _NO_GROUP  # and let entry() say which node is missing
        before = self._recent.get(number - 1, _NO_GROUP)
        start = before[_GROUP_BLOCKS] if len(before) > _GROUP_BLOCKS else self.offset(first)
        sizes = [size for (size,) in _LEAF_SIZES.iter_unpack(raw + bytes(40))]
        if 0 in sizes:  # an empty block, or a leaf that got lost
            blank = (at for at in range(count) if not raw[80 * at : 80 * at + 40].strip(b"\0"))
            del sizes[next(blank, count) :]
        try:
            group = array("Q", accumulate(sizes, initial=start))
        except OverflowError:
            return _NO_GROUP
        self._keep(number, group)
        return group

    def _keep(self, number: int, group: array[int]) -> None:
        if len(self._recent) >= _GROUPS_MAX:
            self._older, self._recent = self._recent, {}
        self._recent[number] = group

    def hold(self, index: int, offset: int, value: bytes) -> None:
        """Keep a verified block until the next flush."""
        self.values[index] = (offset, value)
        self._end = (index + 1, offset + len(value))

    def forget_offsets(self) -> None:
        """Sizes of leaves were changed."""
        self._end = (0, 0)
        self._recent.clear()
        self._older.clear()

    def read_block(self, index: int) -> bytes:
        """A stored block, hashed against its leaf when it is read for the first time.

        Raises:
            CorruptStorageError: the stored bytes are others.
        """
        if self.values and index in self.values:
            return self.values[index][1]
        offset, size = self.place(index)
        value = self._data.read(offset, size)
        if (
            len(value) != size
            or not self._checked.get(index >> _CHECKED_SHIFT, 0) >> (index & 1023) & 1
        ):
            self._check(index, value, offset, size)
        return value

    @property
    def data_size(self) -> int:
        """Bytes in ``data``."""
        return self._data.size

    def read_data(self, offset: int, size: int) -> bytes:
        """Bytes of ``data`` as they are in the file."""
        return self._data.read(offset, size)

    def read_run(self, start: int, stop: int, *, check: bool = True) -> list[bytes]:
        """Stored blocks ``[start, stop)`` with one read; ``check`` as they come from the file.

        Raises:
            CorruptStorageError: the stored bytes are others, or too few.
        """
        if self.values and any(index in self.values for index in range(start, stop)):
            return [self.read_block(index) for index in range(start, stop)]
        places = [self.place(index) for index in range(start, stop)]
        first = places[0][0]
        total = sum(size for _, size in places)
        raw = self._data.read(first, total)
        if len(raw) != total:
            return [self.read_block(index) for index in range(start, stop)]
        values = []
        for index, (offset, size) in enumerate(places, start):
            value = raw[offset - first : offset - first + size]
            if check and not self._checked.get(index >> _CHECKED_SHIFT, 0) >> (index & 1023) & 1:
                self._check(index, value, offset, size)
            values.append(value)
        return values

    def _check(self, index: int, value: bytes, offset: int, size: int) -> None:
        if len(value) != size or crypto.leaf_hash(value) != self.entry(2 * index)[:32]:
            raise CorruptStorageError(
                f"block {index} is not what was stored", file=self._data.name, offset=offset
            )
        self.mark_checked(index, index + 1)

    def mark_checked(self, start: int, stop: int) -> None:
        """Blocks ``[start, stop)`` need not be hashed when they are read."""
        while start < stop:
            number = start >> _CHECKED_SHIFT
            end = min(stop, (number + 1) << _CHECKED_SHIFT)
            mask = ((1 << (end - start)) - 1) << (start & 1023)
            self._checked[number] = self._checked.get(number, 0) | mask
            start = end

    def mark_unchecked(self, index: int) -> None:
        """The block is to be hashed again when it is read."""
        number = index >> _CHECKED_SHIFT
        self._checked[number] = self._checked.get(number, 0) & ~(1 << (index & 1023))

    # -- writing ------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write everything that is not in the files, as one commit. Raises StorageError."""
        writes: list[Write] = []
        if self.values:
            writes += _runs(self._data.name, sorted(self.values.values()))
        if self.nodes:
            nodes = sorted(self.nodes.items())
            writes += _runs(self._tree.name, [(40 * node + 32, entry) for node, entry in nodes])
        for length, signature in self.signatures.items():
            name = self._signatures.name
            writes.append(Write(name, layout.signature_offset(length), signature))
        if writes or self.bits.pages.changed:
            self.commit(writes)
            self.values.clear()
            self.nodes.clear()
            self.signatures.clear()

    def commit(self, writes: list[Write]) -> None:
        """Write ``writes`` and the bits that changed. Raises StorageError: nothing was."""
        name = self._bitfield.name
        writes += [
            Write(name, layout.HEADER_BYTES + at, raw) for at, raw in self.bits.pages.take_changes()
        ]
        self._files.commit(writes)

    def append_writes(
        self,
        start: int,
        entries: list[bytes],
        blocks: Sequence[bytes | bytearray | memoryview],
        byte_offset: int,
    ) -> list[Write]:
        """The writes for nodes from ``2 * start`` on and for the blocks themselves."""
        name = self._data.name
        writes = [Write(self._tree.name, layout.node_offset(2 * start), b"".join(entries))]
        if sum(map(len, blocks)) < _JOIN_BYTES_MAX * len(blocks):
            writes.append(Write(name, byte_offset, b"".join(blocks)))
            return writes
        for block in blocks:  # a copy of all of them would cost more than a write for each
            writes.append(Write(name, byte_offset, block))
            byte_offset += len(block)
        return writes

    def node_write(self, node: int, entry: bytes) -> Write:
        """The write for one node."""
        return Write(self._tree.name, layout.node_offset(node), entry)

    def signature_write(self, length: int, signature: bytes) -> Write:
        """The write for the signature over a length."""
        return Write(self._signatures.name, layout.signature_offset(length), signature)

    def fork_write(self, ours: SignedRoot, theirs: SignedRoot) -> Write:
        """The write for the proof of a fork."""
        pack = layout.SIGNED_ROOT.pack
        return Write(self.prefix + layout.FORK, 0, pack(*ours) + pack(*theirs))

    def cut_signatures(self, length: int) -> Write:
        """The write that drops the signatures over more than ``length`` blocks."""
        return Write(self._signatures.name, layout.signature_offset(length + 1), None)

    def cut_data(self, start: int, stop: int) -> list[Write]:
        """The write that drops bytes ``[start, stop)`` of ``data`` if nothing follows them."""
        if stop < self._data.size or start >= self._data.size:
            return []
        return [Write(self._data.name, start, None)]


def _runs(file: str, pieces: list[tuple[int, bytes]]) -> list[Write]:
    """Writes for pieces in order of their offsets, neighbours as one unless that copies much."""
    writes = []
    run: list[bytes] = []
    start = end = -1
    for offset, piece in pieces:
        if offset != end or len(piece) >= _JOIN_BYTES_MAX:
            if run:
                writes.append(Write(file, start, b"".join(run)))
            run, start = [], offset
        run.append(piece)
        end = offset + len(piece)
    writes.append(Write(file, start, b"".join(run)))
    return writes
