from __future__ import annotations

import json

import pytest

from hypermultifeed.errors import ClientMismatchError, RemoteProtocolError, VersionMismatchError
from hypermultifeed.replication import manifest

KEYS = [bytes([number]) * 32 for number in (9, 7, 8)]


def listed(*entries: object) -> bytes:
    return json.dumps({"keys": entries}).encode()


def test_handshake_has_the_bytes_of_the_original() -> None:
    assert manifest.encode_handshake() == b'{"client":"MULTIFEED","version":"4.0.0"}'
    assert (
        manifest.encode_handshake({"hi": "thére"})
        == '{"client":"MULTIFEED","version":"4.0.0","userData":{"hi":"thére"}}'.encode()
    )


def test_handshake_round_trip() -> None:
    assert manifest.decode_handshake(manifest.encode_handshake([1, None])).user_data == [1, None]
    assert manifest.decode_handshake(manifest.encode_handshake()).user_data is None


@pytest.mark.parametrize("version", ["4.0.0", "4.9.1-foo", "4", " 4.1", "+4"])
def test_same_major_version_is_accepted(version: str) -> None:
    payload = json.dumps({"client": "MULTIFEED", "version": version}).encode()
    assert manifest.decode_handshake(payload).version == version


@pytest.mark.parametrize(
    ("version", "shown"),
    [("5.0.0", "5.0.0"), ("", ""), ("four", "four"), (None, "none"), (4, "int"), ([], "list")],
)
def test_other_version_is_a_coded_error_with_both_values(version: object, shown: str) -> None:
    payload = json.dumps({"client": "OTHER", "version": version}).encode()
    with pytest.raises(VersionMismatchError) as caught:
        manifest.decode_handshake(payload)
    assert caught.value.code == "ERR_VERSION_MISMATCH"
    assert (caught.value.us_version, caught.value.them_version) == ("4.0.0", shown)


def test_other_client_is_a_coded_error_with_both_values() -> None:
    with pytest.raises(ClientMismatchError) as caught:
        manifest.decode_handshake(b'{"client":"X\\ud800\\u0007","version":"4.0.0"}')
    assert caught.value.code == "ERR_CLIENT_MISMATCH"
    assert (caught.value.us_client, caught.value.them_client) == ("MULTIFEED", "X\\ud800?")


@pytest.mark.parametrize("user_data", [float("nan"), {1, 2}, "x" * 70_000, "\ud800"])
def test_unusable_user_data_of_ours_are_refused(user_data: object) -> None:
    with pytest.raises(ValueError, match="user data"):
        manifest.encode_handshake(user_data)


def test_user_data_of_the_peer_are_capped() -> None:
    with pytest.raises(RemoteProtocolError, match="HANDSHAKE above"):
        manifest.decode_handshake(
            b'{"client":"MULTIFEED","version":"4.0.0","userData":"' + b"x" * 1_000_000 + b'"}'
        )


def test_lists_have_the_bytes_of_the_original() -> None:
    one = "09" * 32
    assert manifest.encode_manifest(KEYS[:1]) == f'{{"keys":["{one}"]}}'.encode()
    assert manifest.encode_manifest([]) == b'{"keys":[]}'
    assert manifest.encode_keys(KEYS[:1]) == f'["{one}"]'.encode()


def test_lists_round_trip_in_order() -> None:
    assert manifest.decode_manifest(manifest.encode_manifest(KEYS)) == (KEYS, 0, {})
    assert manifest.decode_keys(manifest.encode_keys(KEYS), "REQUEST_FEEDS") == (KEYS, 0, {})


def test_hints_are_what_stands_beside_the_keys() -> None:
    found = manifest.decode_manifest(b'{"keys":[],"want":{"last":5},"__proto__":1}')
    assert found.hints == {"want": {"last": 5}, "__proto__": 1}


@pytest.mark.parametrize("keys", [None, {"a": 1}, 5, "x"])
def test_mistyped_key_list_counts_as_empty(keys: object) -> None:
    assert manifest.decode_manifest(json.dumps({"keys": keys}).encode()).keys == []


def test_bad_keys_are_skipped_and_counted_and_good_ones_kept() -> None:
    good, root = "ab" * 32, "cd" * 32
    bad: list[object] = [
        None,
        5,
        "zz",
        "",
        {"key": good},
        [good],
        good.upper(),
        good + "00",
        good[:-1] + "g",
        " " + good[1:],
        good[:62] + "\n0",
        "00" * 32,  # small order
        "ec" + "ff" * 30 + "7f",
        root,
        good,  # repeated
    ]
    found = manifest.decode_manifest(listed(good, *bad), reserved=bytes.fromhex(root))
    assert found.keys == [bytes.fromhex(good)]
    assert found.skipped == len(bad)


@pytest.mark.parametrize("payload", [b"null", b"[]", b"1", b'"x"', b"true"])
def test_manifest_that_is_no_object_is_refused(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="MANIFEST"):
        manifest.decode_manifest(payload)


@pytest.mark.parametrize("payload", [b"null", b'{"a":1}', b"1", b'"x"'])
def test_key_list_that_is_no_list_is_refused(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="REQUEST_FEEDS"):
        manifest.decode_keys(payload, "REQUEST_FEEDS")


def test_as_many_keys_as_fit_a_frame_are_accepted() -> None:
    keys = [number.to_bytes(32, "big") for number in range(1000, 121_000)]
    payload = manifest.encode_manifest(keys)
    assert 8_000_000 < len(payload) < manifest.MESSAGE_BYTES_MAX
    assert manifest.decode_manifest(payload).keys == keys
