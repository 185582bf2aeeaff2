from __future__ import annotations

import pytest

from hypermultifeed.core_names import (
    core_folder,
    decode_name_file,
    derive_key_pair,
    encode_name_file,
    nested_name,
    raw_name,
)

MASTER_KEY = bytes(range(1, 33))


def test_text_and_its_bytes_name_the_same_core() -> None:
    pair = derive_key_pair(MASTER_KEY, "naïve")
    assert derive_key_pair(MASTER_KEY, "naïve".encode()) == pair
    assert derive_key_pair(bytes(32), "naïve") != pair


def test_folder_of_a_core() -> None:
    key = bytes.fromhex("ab" * 32)
    assert core_folder(key) == f"ab/ab/{'ab' * 32}/"


def test_nested_names() -> None:
    assert nested_name(None, "a") == "a"
    assert nested_name("a", "b") == "a:b"
    assert nested_name("a:b", b"\x01\xff") == "a:b:01ff"


@pytest.mark.parametrize("name", [b"a", b"x" * 127, b"x" * 128, b"x" * 4096])
def test_name_file_round_trip(name: bytes) -> None:
    assert decode_name_file(encode_name_file(name)) == name


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"\x02a", b"\x01ab", b"\xff" * 20, b"\x80", b"\x01"]
)
def test_anything_else_is_no_name(content: bytes) -> None:
    assert decode_name_file(content) is None


@pytest.mark.parametrize("name", ["x" * 5000, "\ud800"])
def test_unusable_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"at most 4096 bytes|surrogates"):
        raw_name(name)
