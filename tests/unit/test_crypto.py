from __future__ import annotations

import ctypes
import hashlib
import threading

import pytest

from hypermultifeed import crypto

KEY, NONCE = bytes(range(32)), bytes(range(24))
CIPHERS: list[type[crypto.StreamCipher]] = [crypto.SodiumXSalsa20, crypto.PortableXSalsa20]


def test_hsalsa20_of_the_nacl_paper() -> None:
    """Bernstein, "Cryptography in NaCl": the first key from the shared secret."""
    shared = bytes.fromhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
    first_key = "1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389"
    assert crypto.hsalsa20(shared, bytes(16)).hex() == first_key


@pytest.mark.parametrize("cipher", CIPHERS)
def test_xsalsa20_of_the_nacl_paper(cipher: type[crypto.StreamCipher]) -> None:
    key = bytes.fromhex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
    nonce = bytes.fromhex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37")
    stream = cipher(key, nonce).process(bytes(4_194_304))
    digest = "662b9d0e3463029156069b12f918691a98f7dfb2ca0393c96bbfc6b1fbd630a2"
    assert hashlib.sha256(stream).hexdigest() == digest


@pytest.mark.parametrize("sizes", [(0, 1, 63, 64, 65), (5, 0, 59, 128), (70_000, 1, 200_000, 3)])
def test_both_ciphers_give_the_same_stream_however_it_is_cut(sizes: tuple[int, ...]) -> None:
    whole = crypto.PortableXSalsa20(KEY, NONCE).process(bytes(sum(sizes)))
    for cipher in CIPHERS:
        processed, applied, joined = (cipher(KEY, NONCE) for _ in range(3))
        at = 0
        for size in sizes:
            buffer = bytearray(size)
            applied.apply(buffer)
            expected = whole[at : at + size]
            assert buffer == expected
            assert processed.process(bytes(size)) == expected
            assert joined.join((bytes(size // 2), bytes(size - size // 2))) == expected
            at += size


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("cipher", CIPHERS)
def test_ciphers_take_any_buffer(cipher: type[crypto.StreamCipher], kind: type) -> None:
    data = kind(b"hello")
    out = cipher(KEY, NONCE).process(data)
    assert type(out) is bytes
    assert cipher(KEY, NONCE).process(out) == b"hello"
    assert bytes(data) == b"hello"


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize(("key", "nonce"), [(KEY[1:], NONCE), (KEY, NONCE + b"x"), (b"", b"")])
def test_ciphers_refuse_other_lengths(
    cipher: type[crypto.StreamCipher], key: bytes, nonce: bytes
) -> None:
    with pytest.raises(ValueError, match="XSalsa20 needs"):
        cipher(key, nonce)


def test_threads_do_not_share_a_buffer() -> None:
    expected = crypto.SodiumXSalsa20(KEY, NONCE).process(bytes(300_000))
    wrong: list[int] = []

    def work(number: int) -> None:
        if crypto.SodiumXSalsa20(KEY, NONCE).process(bytes(300_000)) != expected:
            wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_fast_cipher_is_chosen_where_it_is_found_and_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = crypto._load_sodium() is not crypto._no_sodium
    assert (crypto._choose_cipher() is crypto.SodiumXSalsa20) is found
    monkeypatch.setattr(crypto, "_sodium_xor", lambda *_: 0)  # a function that does nothing
    assert crypto._choose_cipher() is crypto.PortableXSalsa20
    monkeypatch.setattr(crypto, "_sodium_xor", crypto._no_sodium)
    assert crypto._choose_cipher() is crypto.PortableXSalsa20


def test_no_libsodium_to_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> None:
        raise OSError("no such library")

    monkeypatch.setattr(ctypes, "PyDLL", refuse)
    assert crypto._load_sodium() is crypto._no_sodium
    with pytest.raises(RuntimeError):
        crypto._no_sodium()


def test_signatures() -> None:
    public_key, secret_key = crypto.signing_key_pair(bytes(32))
    signature = crypto.sign(b"message", secret_key)
    assert crypto.verify(b"message", signature, public_key)
    assert not crypto.verify(b"Message", signature, public_key)
    for bit in range(0, 512, 37):
        flipped = bytearray(signature)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        assert not crypto.verify(b"message", bytes(flipped), public_key)


@pytest.mark.parametrize("signature", [b"", bytes(63), bytes(64), bytes(65)])
@pytest.mark.parametrize("public_key", [b"", bytes(31), bytes(32), bytes(33), b"\x01" + bytes(31)])
def test_verify_never_raises(signature: bytes, public_key: bytes) -> None:
    assert not crypto.verify(b"", signature, public_key)


@pytest.mark.parametrize(
    "public_key", [b"", bytes(31), bytes(32), b"\x01" + bytes(31)], ids=["", "31", "zero", "one"]
)
def test_dh_refuses_weak_and_short_keys(public_key: bytes) -> None:
    with pytest.raises(ValueError, match=r"low order|32 bytes"):
        crypto.dh(KEY, public_key)


def test_dh_agrees() -> None:
    ours, theirs = crypto.noise_key_pair(KEY), crypto.noise_key_pair(bytes(32))
    assert crypto.dh(ours[1], theirs[0]) == crypto.dh(theirs[1], ours[0])


def test_aead() -> None:
    sealed = crypto.aead_encrypt(KEY, NONCE[:12], b"text", b"more")
    assert len(sealed) == 4 + crypto.AEAD_TAG_BYTES
    assert crypto.aead_decrypt(KEY, NONCE[:12], sealed, b"more") == b"text"
    for bad in (b"", sealed[:15], sealed[:-1], bytes(len(sealed))):
        with pytest.raises(ValueError, match="ciphertext"):
            crypto.aead_decrypt(KEY, NONCE[:12], bad, b"more")
    with pytest.raises(ValueError, match="authenticate"):
        crypto.aead_decrypt(KEY, NONCE[:12], sealed, b"less")


def test_hashes_take_any_buffer() -> None:
    data = b"some block"
    expected = crypto.blake2b_256(b"\x00" + len(data).to_bytes(8, "big") + data)
    assert crypto.leaf_hash(data) == expected
    assert crypto.leaf_hash(bytearray(data)) == crypto.leaf_hash(memoryview(data)) == expected
    assert crypto.tree_hash([]) == crypto.blake2b_256(b"\x02")


def test_equal() -> None:
    assert crypto.equal(b"same", b"same")
    assert not crypto.equal(b"same", b"other")
    assert not crypto.equal(b"", b"x")


def test_many_hashes_are_the_single_ones() -> None:
    blocks = [b"", b"a", b"b", b"cc", b"", b"dd", b"ee"]
    hashes = [crypto.leaf_hash(block) for block in blocks]
    assert crypto.leaf_hashes(blocks) == hashes
    sizes = [3, 3, 0, 2**40, 2**40]
    assert crypto.parent_hashes(sizes, hashes, hashes[1:]) == [
        crypto.parent_hash(size, left, right)
        for size, left, right in zip(sizes, hashes, hashes[1:], strict=False)
    ]
