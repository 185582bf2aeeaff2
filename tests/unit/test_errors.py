from __future__ import annotations

import inspect

import pytest

from hypermultifeed import errors
from hypermultifeed.errors import (
    BlockMissingError,
    BlockTooLargeError,
    ClientMismatchError,
    CorruptStorageError,
    ForkError,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    ReplicationTimeoutError,
    StorageError,
    StorageLockedError,
    VersionMismatchError,
)

ALL = [
    one
    for _, one in inspect.getmembers(errors, inspect.isclass)
    if one.__module__ == errors.__name__
]


def test_the_tree_at_the_top_of_the_module_is_the_tree() -> None:
    drawn: dict[str, str | None] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        mark = line.rstrip().find("Error")
        if mark < 0 or " " in line.strip().strip("├└─│ ").split("Error")[0]:
            continue
        name = line[: mark + len("Error")].strip("├└─│ ")
        depth = (line.index(name) - 4) // 4
        above[depth:] = [name]
        drawn[name] = above[depth - 1] if depth else None
    real = {one.__name__: one.__mro__[1].__name__ for one in ALL}
    real["HypermultifeedError"] = None  # type: ignore[assignment]
    assert drawn == real


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (StorageError("cannot read"), "cannot read"),
        (StorageError("cannot read", file="tree"), "cannot read (file tree)"),
        (CorruptStorageError("bad", file="tree", offset=40), "bad (file tree, byte 40)"),
        (StorageError("no file", offset=40), "no file"),
    ],
)
def test_storage_errors_say_where(error: StorageError, text: str) -> None:
    assert str(error) == text


def test_what_is_known_is_in_attributes() -> None:
    locked = StorageLockedError("in use", holder="process 1")
    assert locked.holder == "process 1"
    missing = BlockMissingError("gone", key=b"k", index=3)
    assert (missing.key, missing.index) == (b"k", 3)
    fork = ForkError("fork", ours=(1, b"a", b"b"), theirs=(1, b"c", b"d"))
    assert (fork.ours[1], fork.theirs[1]) == (b"a", b"c")


def test_those_with_a_builtin_relative_can_be_caught_as_it() -> None:
    assert issubclass(BlockMissingError, LookupError)
    assert issubclass(BlockTooLargeError, ValueError)
    assert issubclass(ReplicationTimeoutError, TimeoutError)


def test_a_protocol_error_names_who_broke_the_protocol() -> None:
    with pytest.raises(TypeError, match="LocalProtocolError or RemoteProtocolError"):
        ProtocolError("somebody")
    assert isinstance(LocalProtocolError("we"), ProtocolError)
    assert isinstance(RemoteProtocolError("they"), ProtocolError)


def test_the_two_documented_codes_carry_both_sides() -> None:
    version = VersionMismatchError("4.0.0", "5.0.0")
    assert (version.code, version.us_version, version.them_version) == (
        "ERR_VERSION_MISMATCH",
        "4.0.0",
        "5.0.0",
    )
    client = ClientMismatchError("MULTIFEED", "OTHER")
    assert (client.code, client.us_client, client.them_client) == (
        "ERR_CLIENT_MISMATCH",
        "MULTIFEED",
        "OTHER",
    )
    assert "4.0.0" in str(version)
    assert "OTHER" in str(client)
