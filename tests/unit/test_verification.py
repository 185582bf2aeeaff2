from __future__ import annotations

import pytest

from hypermultifeed import crypto
from hypermultifeed.errors import VerificationError
from hypermultifeed.feed.log import Log
from hypermultifeed.feed.verification import is_signed, signable, verify
from hypermultifeed.keys import KeyPair
from hypermultifeed.storage import memory

OWNER = KeyPair.from_seed(b"\x01" * 32)
BLOCKS = [b"block-%d" % index for index in range(17)]


def writer() -> Log:
    log = Log.open(memory()("relaxed"), key_pair=OWNER)
    log.append(BLOCKS)
    return log


def reader(*indexes: int) -> Log:
    source, log = writer(), Log.open(memory()("relaxed"), key=OWNER.public_key)
    for index in indexes:
        proof = source.proof(index)
        log.put(index, BLOCKS[index], proof.nodes, proof.signature)
    return log


def test_signatures_of_today_and_of_hypercore_8() -> None:
    tree_hash = b"\x07" * 32
    today = crypto.sign(signable(tree_hash, 5), OWNER.secret_key)
    before = crypto.sign(tree_hash, OWNER.secret_key)
    assert is_signed(OWNER.public_key, tree_hash, 5, today)
    assert is_signed(OWNER.public_key, tree_hash, 5, before)
    assert not is_signed(OWNER.public_key, tree_hash, 6, today)
    assert not is_signed(OWNER.public_key, b"\x08" * 32, 5, before)
    assert not is_signed(OWNER.public_key, tree_hash, 5, b"")


def test_a_proof_that_ends_at_signed_roots() -> None:
    log, proof = reader(), writer().proof(5)
    found = verify(log._store, None, 5, BLOCKS[5], proof.nodes, proof.signature)
    assert found.signed == writer().signed_root
    assert [root[0] for root in found.roots] == [15, 32]
    assert [node[0] for node in found.nodes] == [8, 10, 13, 9, 3, 11, 23, 7, 15, 32]
    assert (found.trusted, found.conflicts) == (-1, [])


def test_a_proof_that_ends_at_a_known_node_needs_no_signature() -> None:
    log, proof = reader(5), writer().proof(1)
    found = verify(log._store, log.signed_root, 1, BLOCKS[1], proof.nodes[:2], b"not looked at")
    assert (found.trusted, found.signed, found.roots) == (3, None, [])
    assert [node[0] for node in found.nodes] == [0, 2, 5, 1]


def test_the_leaf_alone_is_enough_where_its_hash_is_known() -> None:
    log = reader(5)
    found = verify(log._store, log.signed_root, 4, BLOCKS[4], [], None)
    assert (found.trusted, found.nodes) == (8, [])


@pytest.mark.parametrize(
    ("index", "known"), [(0, ()), (16, ()), (16, (5,)), (3, (5,)), (4, (5,)), (5, (5,))]
)
def test_another_value_is_refused(index: int, known: tuple[int, ...]) -> None:
    log, proof = reader(*known), writer().proof(index)
    with pytest.raises(VerificationError):
        verify(log._store, log.signed_root, index, b"other", proof.nodes, proof.signature)


def test_a_known_leaf_is_contradicted_only_together_with_a_signature() -> None:
    """The owner signing something else is a matter for the caller; here it is found out."""
    other = Log.open(memory()("relaxed"), key_pair=OWNER)
    other.append([*BLOCKS[:16], b"other"])
    log, proof = reader(16), other.proof(16)
    found = verify(log._store, log.signed_root, 16, b"other", proof.nodes, proof.signature)
    assert found.conflicts == [32]
    assert found.signed == other.signed_root
