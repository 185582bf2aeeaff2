"""Things in a tree of groups that take turns, so that a large group cannot hold up a small one."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

T = TypeVar("T")
Path = tuple["Hashable", ...]

LOOKS_MAX: Final = 16
"""Groups of one level that are asked in vain before a search gives up: it must stay short however
many groups there are. The next search begins with others."""


class Randomness(Protocol):
    """The part of `random.Random` that is used."""

    def random(self) -> float:
        """A number in [0, 1)."""


class Turns(Generic[T]):
    """Items by path; taken in turns at every level, at random within the last.

    With the path (topic, who told, network) each topic gets the same share of what is taken, in
    it each teller, and of what one tells each network.
    """

    __slots__ = ("_branches", "_items", "_size")

    def __init__(self) -> None:
        self._branches: dict[Hashable, Turns[T]] = {}
        self._items: list[T] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[T]:
        yield from self._items
        for branch in self._branches.values():
            yield from branch

    def add(self, path: Path, item: T) -> None:
        """Put an item into the group at ``path``, which is made if need be."""
        self._size += 1
        if not path:
            self._items.append(item)
            return
        branch = self._branches.get(path[0])
        if branch is None:
            branch = self._branches[path[0]] = Turns()
        branch.add(path[1:], item)

    def count(self, path: Path) -> int:
        """How many items are below ``path``."""
        if not path:
            return self._size
        branch = self._branches.get(path[0])
        return branch.count(path[1:]) if branch else 0

    def groups(self, path: Path) -> int:
        """How many groups are right below ``path``."""
        if not path:
            return len(self._branches)
        branch = self._branches.get(path[0])
        return branch.groups(path[1:]) if branch else 0

    def discard(self, path: Path, item: T) -> bool:
        """Take this item out of the group at ``path``; returns whether it was there."""
        if path:
            branch = self._branches.get(path[0])
            found = branch is not None and branch.discard(path[1:], item)
            if found and not branch:
                del self._branches[path[0]]
        else:
            found = item in self._items
            if found:
                self._items.remove(item)
        self._size -= found
        return found

    def remove(self, key: Hashable) -> list[T]:
        """Take the whole group ``key`` of the first level."""
        branch = self._branches.pop(key, None)
        if branch is None:
            return []
        self._size -= len(branch)
        return list(branch)

    def take(
        self, randomness: Randomness, may: Callable[[Path], bool], path: Path = ()
    ) -> T | None:
        """Take the next item; groups whose path ``may`` refuses are passed over."""
        if self._items:
            return self._take_any(randomness)
        for key in list(islice(self._branches, LOOKS_MAX)):
            branch = self._branches.pop(key)
            here = (*path, key)
            item = branch.take(randomness, may, here) if may(here) else None
            if branch:
                self._branches[key] = branch  # as the last: now it is the others' turn
            if item is not None:
                self._size -= 1
                return item
        return None

    def take_from_largest(self, randomness: Randomness) -> T | None:
        """Take an item from the largest group of each level: who has most, loses first."""
        if self._items:
            return self._take_any(randomness)
        if not self._branches:
            return None
        key = max(self._branches, key=lambda key: len(self._branches[key]))
        item = self._branches[key].take_from_largest(randomness)
        if not self._branches[key]:
            del self._branches[key]
        self._size -= 1
        return item

    def _take_any(self, randomness: Randomness) -> T:
        items = self._items
        index = int(randomness.random() * len(items))
        items[index], items[-1] = items[-1], items[index]
        self._size -= 1
        return items.pop()
