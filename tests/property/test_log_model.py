"""A feed and its copy against a plain list, whatever is done in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hypermultifeed.errors import BlockMissingError, VerificationError
from hypermultifeed.feed.log import Log
from hypermultifeed.feed.merkle import ProofMemory
from hypermultifeed.keys import KeyPair
from hypermultifeed.storage import memory

OWNER = KeyPair.from_seed(b"\x02" * 32)
BLOCKS = st.lists(st.binary(max_size=40), max_size=20)
INDEX = st.integers(0, 2**16)


class LogModel(RuleBasedStateMachine):
    """``blocks`` is what was appended, ``have`` and ``copied`` what either side should have."""

    @initialize()
    def begin(self) -> None:
        self.storage = memory()("relaxed")
        self.writer = Log.open(self.storage, "writer/", key_pair=OWNER)
        self.reader = Log.open(self.storage, "reader/", key=OWNER.public_key)
        self.heard = ProofMemory()
        self.blocks: list[bytes] = []
        self.have: set[int] = set()
        self.copied: set[int] = set()

    @rule(values=BLOCKS)
    def append(self, values: list[bytes]) -> None:
        start = len(self.blocks)
        assert self.writer.append(values) == start
        self.blocks += values
        self.have.update(range(start, len(self.blocks)))

    @rule(number=INDEX, only_hash=st.booleans(), flush=st.booleans(), exact=st.booleans())
    @precondition(lambda self: self.blocks)
    def copy_block(self, number: int, *, only_hash: bool, flush: bool, exact: bool) -> None:
        index = number % len(self.blocks)
        digest = self.reader.digest(index) if exact else 0
        memory = self.heard if exact else ProofMemory()
        proof = self.writer.proof(index, digest=digest, hash=only_hash, memory=memory)
        if only_hash:
            self.reader.put(index, None, proof.nodes, proof.signature)
        elif index in self.have:
            self.reader.put(index, self.writer.get(index), proof.nodes, proof.signature)
            self.copied.add(index)
        if flush:
            self.reader.flush()

    @rule(number=INDEX, data=st.data())
    @precondition(lambda self: self.blocks)
    def refuse_forgery(self, number: int, data: st.DataObject) -> None:
        index = number % len(self.blocks)
        if index not in self.have:
            return
        proof = self.writer.proof(index)
        nodes = list(proof.nodes)
        value = self.blocks[index]
        signature = proof.signature
        match data.draw(st.sampled_from(["value", "hash", "size", "signature"])):
            case "hash" if nodes:
                node = nodes[0]
                nodes[0] = node._replace(hash=bytes(byte ^ 1 for byte in node.hash))
            case "size" if nodes:
                nodes[-1] = nodes[-1]._replace(size=nodes[-1].size + 1)
            case "signature" if not self.reader.length:
                signature = bytes(64)
            case _:
                value += b"!"
        before = (self.reader.length, self.reader.byte_length, self.reader.count())
        try:
            self.reader.put(index, value, nodes, signature)
        except VerificationError:
            assert (self.reader.length, self.reader.byte_length, self.reader.count()) == before
        else:  # it led to a node known before it came to what was forged
            assert value == self.blocks[index]
            self.copied.add(index)

    @rule(number=INDEX, count=st.integers(0, 30))
    @precondition(lambda self: self.blocks)
    def clear(self, number: int, count: int) -> None:
        start = number % len(self.blocks)
        gone = set(range(start, start + count))
        assert self.writer.clear(start, start + count) == len(self.have & gone)
        self.have -= gone

    @rule(number=INDEX, count=st.integers(0, 30))
    @precondition(lambda self: self.reader.length)
    def clear_copy(self, number: int, count: int) -> None:
        start = number % self.reader.length
        gone = set(range(start, start + count))
        assert self.reader.clear(start, start + count) == len(self.copied & gone)
        self.copied -= gone

    @rule()
    def give_back(self) -> None:
        """An owner gets cleared blocks from its reader."""
        for index in sorted(self.copied - self.have):
            proof = self.reader.proof(index, digest=self.writer.digest(index))
            self.writer.put(index, self.reader.get(index), proof.nodes, proof.signature)
            self.have.add(index)
        self.writer.flush()

    @rule()
    def reopen(self) -> None:
        self.writer.flush()
        self.reader.flush()
        self.writer = Log.open(self.storage, "writer/")
        self.reader = Log.open(self.storage, "reader/")
        self.heard = ProofMemory()

    @rule()
    def audit(self) -> None:
        assert self.writer.audit() == (len(self.have), 0, ())
        assert self.reader.audit() == (len(self.copied), 0, ())

    @rule(byte=st.integers(0, 10**6))
    def seek(self, byte: int) -> None:
        total = sum(map(len, self.blocks))
        byte %= total + 1
        index, offset = self.writer.seek(byte)
        assert sum(map(len, self.blocks[:index])) + offset == byte
        assert byte in (0, total) or offset < len(self.blocks[index])

    @rule(start=INDEX, stop=INDEX)
    def query(self, start: int, stop: int) -> None:
        start, stop = sorted((start % 300, stop % 300))
        for log, have in ((self.writer, self.have), (self.reader, self.copied)):
            inside = {index for index in have if start <= index < stop}
            assert log.count(start, stop) == len(inside)
            assert log.next_stored(start, stop) == min(inside, default=-1)
            assert log.next_missing(start, stop) == min(
                set(range(start, stop)) - inside, default=-1
            )

    @invariant()
    def holds_what_it_should(self) -> None:
        assert self.writer.length == len(self.blocks)
        assert self.writer.byte_length == sum(map(len, self.blocks))
        assert self.reader.length <= len(self.blocks)
        assert self.reader.byte_length == sum(map(len, self.blocks[: self.reader.length]))
        for log, have in ((self.writer, self.have), (self.reader, self.copied)):
            assert log.count(0, len(self.blocks)) == len(have)
            for index in have:
                assert log.get(index) == self.blocks[index]
            for index in set(range(len(self.blocks))) - have:
                with pytest.raises(BlockMissingError):
                    log.get(index)


LogModel.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLogModel = LogModel.TestCase
