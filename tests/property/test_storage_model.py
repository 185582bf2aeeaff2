"""Both storages against a dictionary of bytearrays, over reopening, kills and checkpoints."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.crash.simulated_disk import SimulatedDisk, simulated_files

from hypermultifeed.storage import Write, memory
from hypermultifeed.storage.file_storage import FileStorage

if TYPE_CHECKING:
    from hypermultifeed.storage import Storage

NAMES = ["key", "data", "ab/cd/one/tree", "ab/cd/one/data", "ab/cd/two/tree"]

names = st.sampled_from(NAMES)
offsets = st.integers(0, 300)
datas = st.one_of(st.none(), st.binary(max_size=150))
writes = st.lists(st.builds(Write, names, offsets, datas), max_size=5)


class StorageMachine(RuleBasedStateMachine):
    """The rules; subclasses say which storage."""

    storage: Storage

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, bytearray] = {}

    @rule(writes=writes)
    def commit(self, writes: list[Write]) -> None:
        self.storage.commit(writes)
        for name, offset, data in writes:
            if data is None:
                if name in self.model:
                    del self.model[name][offset:]
                continue
            content = self.model.setdefault(name, bytearray())
            if data:
                content.extend(bytes(max(0, offset - len(content))))
                content[offset : offset + len(data)] = data

    @rule(prefix=st.sampled_from(["", "ab/", "ab/cd/one/", "key", "nothing"]))
    def remove(self, prefix: str) -> None:
        self.storage.remove(prefix)
        for name in [n for n in self.model if n.startswith(prefix)]:
            del self.model[name]

    @rule(name=names, offset=offsets, size=st.integers(0, 200))
    def read(self, name: str, offset: int, size: int) -> None:
        expected = self.model.get(name, b"")[offset : offset + size]
        assert self.storage.read(name, offset, size) == expected
        assert self.storage.file(name).read(offset, size) == expected

    @rule()
    def sync(self) -> None:
        asyncio.run(self.storage.sync())

    @invariant()
    def files_are_those_of_the_model(self) -> None:
        assert self.storage.list_files() == sorted(self.model)
        for name in NAMES:
            assert self.storage.exists(name) == (name in self.model)
            assert self.storage.size(name) == len(self.model.get(name, b""))

    def teardown(self) -> None:
        for name, content in self.model.items():
            assert self.storage.read(name, 0, 10_000) == content
        asyncio.run(self.storage.close())


class MemoryMachine(StorageMachine):
    def __init__(self) -> None:
        super().__init__()
        self.factory = memory()
        self.storage = self.factory("full")

    @rule()
    def reopen(self) -> None:
        asyncio.run(self.storage.close())
        self.storage = self.factory("full")


class FileMachine(StorageMachine):
    @initialize(durability=st.sampled_from(["full", "relaxed"]))
    def open(self, durability: Any) -> None:
        self.disk = SimulatedDisk()
        self.durability = durability
        self.storage = simulated_files(self.disk)(durability)

    @rule()
    def reopen(self) -> None:
        asyncio.run(self.storage.close())
        assert self.disk.files() == self.model
        assert not self.disk.open_descriptors
        self.storage = simulated_files(self.disk)(self.durability)

    @rule()
    def kill(self) -> None:
        assert isinstance(self.storage, FileStorage)
        self.storage.abandon()
        self.storage = simulated_files(self.disk)(self.durability)

    def teardown(self) -> None:
        super().teardown()
        assert self.disk.files() == self.model


TestMemoryStorage = MemoryMachine.TestCase
TestFileStorage = FileMachine.TestCase
TestMemoryStorage.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestFileStorage.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
