"""The bits a feed keeps: which blocks, which tree nodes, and JS's summary of the former.

A page has 1024 bytes of block bits, 2048 of tree bits and, usually, 512 of index. The index is a
flat tree over the block bits' bytes by which JS skips what is complete; this side never reads it,
but keeps it as hypercore 9 (lib/bitfield.js) does, byte for byte, stale bytes included: whether a
parent is up to date depends on which pages existed when its children changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypermultifeed.feed import flat_tree
from hypermultifeed.feed.bitfield import Bits, Pages

if TYPE_CHECKING:
    from collections.abc import Callable

DATA_BYTES: Final = 1024
TREE_BYTES: Final = 2048
PAGE_BYTES: Final = 3584
BLOCKS_PER_PAGE: Final = 8 * DATA_BYTES
_INDEX_BYTES: Final = PAGE_BYTES - DATA_BYTES - TREE_BYTES
_BYTES_PER_LEAF: Final = 4
_LEAF_KEEP: Final = (0x3F, 0xCF, 0xF3, 0xFC)


def _pair(nibble: int) -> int:
    """Two bits about four: all set, none set, or neither."""
    return 3 if nibble == 0xF else 1 if nibble else 0


_OF_BYTE: Final = bytes(0xC0 if byte == 0xFF else 0x40 if byte else 0 for byte in range(256))
_AS_RIGHT: Final = bytes(_pair(byte >> 4) << 2 | _pair(byte & 0xF) for byte in range(256))
_AS_LEFT: Final = bytes(byte << 4 for byte in _AS_RIGHT)


class FeedBits:
    """Block bits (``data``), tree bits (``tree``) and the index, over shared pages."""

    __slots__ = ("_index", "_index_bytes", "_total", "data", "pages", "tree")

    def __init__(
        self,
        page_bytes: int = PAGE_BYTES,
        stored: int = 0,
        read: Callable[[int, int], bytes] | None = None,
    ) -> None:
        self.pages = Pages(page_bytes, stored, read)
        self.data = Bits(self.pages, 0, DATA_BYTES)
        self.tree = Bits(self.pages, DATA_BYTES, TREE_BYTES)
        self._index_bytes = page_bytes - DATA_BYTES - TREE_BYTES
        self._index = Bits(self.pages, DATA_BYTES + TREE_BYTES, self._index_bytes)
        self._total = -1  # blocks stored, once it was asked for

    @property
    def total(self) -> int:
        """How many blocks are stored."""
        if self._total < 0:
            self._total = self.data.count(0, self.pages.count * BLOCKS_PER_PAGE)
        return self._total

    def set_block(self, index: int) -> bool:
        """Mark a block as stored; whether it was not."""
        if not self.data.set(index):
            return False
        if self._total >= 0:
            self._total += 1
        self._summarise_byte(index >> 3)
        return True

    def clear_block(self, index: int) -> bool:
        """Mark a block as not stored; whether it was."""
        if not self.data.clear(index):
            return False
        if self._total >= 0:
            self._total -= 1
        self._summarise_byte(index >> 3)
        return True

    def set_blocks(self, start: int, stop: int) -> None:
        """Mark ``[start, stop)`` as stored."""
        self._fill(start, stop, value=True)

    def clear_blocks(self, start: int, stop: int) -> None:
        """Mark ``[start, stop)`` as not stored."""
        self._fill(start, min(stop, self.pages.count * BLOCKS_PER_PAGE), value=False)

    def _fill(self, start: int, stop: int, *, value: bool) -> None:
        while start < stop:  # page by page: JS creates the next one after this one's index
            end = min(stop, (start // BLOCKS_PER_PAGE + 1) * BLOCKS_PER_PAGE)
            first, last = start >> 3, (end - 1) >> 3
            if self._index_bytes == _INDEX_BYTES:
                before = self.data.count(start, end) if self._total >= 0 else 0
                self.data.fill(start, end, value=value)
                if self._total >= 0:
                    self._total += (end - start if value else 0) - before
                for leaf in range(first // _BYTES_PER_LEAF, last // _BYTES_PER_LEAF + 1):
                    self._summarise_leaf(leaf)
            else:  # indexes that are too small depend on every single step
                for block in range(start, end):
                    if value:
                        self.set_block(block)
                    else:
                        self.clear_block(block)
            start = end

    def _summarise_byte(self, position: int) -> None:
        place = position % _BYTES_PER_LEAF
        node = position // _BYTES_PER_LEAF * 2
        summary = _OF_BYTE[self.data.byte(position)] >> (2 * place)
        if node < self.pages.count * self._index_bytes:
            self._walk(node, self._index.byte(node) & _LEAF_KEEP[place] | summary)

    def _summarise_leaf(self, leaf: int) -> None:
        a, b, c, d = self.data.read(_BYTES_PER_LEAF * leaf, _BYTES_PER_LEAF * leaf + 4)
        summary = _OF_BYTE[a] | _OF_BYTE[b] >> 2 | _OF_BYTE[c] >> 4 | _OF_BYTE[d] >> 6
        self._walk(2 * leaf, summary)

    def _walk(self, node: int, value: int) -> None:
        """Set an index byte, then its ancestors, up to the first that does not change."""
        index = self._index
        before = index.byte_length
        limit = self.pages.count * self._index_bytes
        while node < limit and index.set_byte(node, value):
            value = self._parent_value(node, value)
            node = flat_tree.parent(node)
        if index.byte_length != before:
            self._extend(before)

    def _extend(self, before: int) -> None:
        """The index became longer: JS brings ancestors of some old roots up to date."""
        index = self._index
        for root in flat_tree.full_roots(8 * before):
            node = root
            value = index.byte(node)
            while True:
                value = self._parent_value(node, value)
                node = flat_tree.parent(node)
                if node >= index.byte_length or not index.set_byte(node, value):
                    break

    def _parent_value(self, node: int, value: int) -> int:
        other = self._index.byte(flat_tree.sibling(node))
        if flat_tree.is_left(node):
            return _AS_LEFT[value] | _AS_RIGHT[other]
        return _AS_RIGHT[value] | _AS_LEFT[other]
