from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pkgstats import group as groups
from pkgstats.group import Group, GroupError, admit, revoke, root_key, with_rate
from pkgstats.records.blocks import decode_block, encode_block
from pkgstats.records.model import CORES, GroupList, Member

if TYPE_CHECKING:
    from pathlib import Path

G = bytes(range(32))
A, B = b"a" * 32, b"b" * 32


def test_each_kind_has_a_root_key_that_follows_from_the_groups_key() -> None:
    keys = {root_key(G, kind) for kind in CORES}
    assert len(keys) == len(CORES)
    assert root_key(G, "meta") not in {root_key(A, kind) for kind in CORES}
    assert root_key(G, "meta").hex().startswith("9cab718bec40cbbed21ae5cdba8cfab9")


def test_a_new_group_is_found_again_and_its_secret_is_private(tmp_path: Path) -> None:
    made = Group.create(tmp_path)
    assert made.key_pair is not None
    assert Group.find(tmp_path) == made
    assert made.key_pair.secret_key.hex() not in repr(made)
    if sys.platform != "win32":
        assert (tmp_path / groups.SECRET_FILE).stat().st_mode & 0o777 == 0o600


def test_a_folder_without_a_group_says_so(tmp_path: Path) -> None:
    assert Group.find(tmp_path) is None


def test_joining_is_noted_and_may_be_repeated(tmp_path: Path) -> None:
    assert Group.join(tmp_path, G.hex()) == Group(G)
    assert Group.join(tmp_path, G) == Group.find(tmp_path) == Group(G)


def test_an_owner_who_joins_the_own_group_stays_its_owner(tmp_path: Path) -> None:
    made = Group.create(tmp_path)
    assert Group.join(tmp_path, made.key) == made


def test_a_folder_stays_with_its_group(tmp_path: Path) -> None:
    Group.join(tmp_path, G)
    with pytest.raises(GroupError, match="choose another folder"):
        Group.join(tmp_path, A)
    with pytest.raises(GroupError, match=G.hex()):
        Group.create(tmp_path)


def test_a_damaged_file_is_an_error_and_no_new_group(tmp_path: Path) -> None:
    (tmp_path / groups.SECRET_FILE).write_text("12")
    with pytest.raises(GroupError, match="damaged"):
        Group.find(tmp_path)


def test_the_first_admission_makes_the_first_list() -> None:
    listed = admit(None, A, "crawler", now=5)
    assert (listed.edition, listed.observed_at) == (1, 5)
    assert listed.members == (Member(key=A),)


def test_admitting_again_changes_the_role_and_keeps_the_place() -> None:
    listed = admit(admit(None, A, "crawler", now=1), B, "crawler", now=2)
    changed = admit(listed, A, "watcher", now=3)
    assert changed.edition == 3
    assert changed.members == (Member(key=A, role="watcher"), Member(key=B))


def test_a_revoked_member_stays_in_the_list_with_a_limit_until_admitted_again() -> None:
    listed = revoke(admit(None, A, "crawler", now=1), A, {"index": 7}, now=2)
    assert listed.members == (Member(key=A, until={"index": 7}),)
    assert decode_block(encode_block([listed])) == [listed]
    assert admit(listed, A, "crawler", now=3).members == (Member(key=A),)


def test_only_members_are_revoked() -> None:
    with pytest.raises(GroupError, match="pkgstats writers"):
        revoke(None, A, {}, now=1)


def test_a_group_has_room_for_so_many() -> None:
    full = GroupList(
        edition=1,
        members=tuple(Member(key=n.to_bytes(32)) for n in range(groups.MEMBERS_MAX)),
        observed_at=1,
    )
    encode_block([full])
    with pytest.raises(GroupError, match="1024"):
        admit(full, A, "crawler", now=2)
    assert admit(full, bytes(32), "notes", now=2).edition == 2


@pytest.mark.parametrize("rate", [0, -1, groups.RATE_MAX + 1])
def test_nobody_asks_more_than_is_polite(rate: int) -> None:
    with pytest.raises(GroupError, match="thousand seconds"):
        with_rate(None, rate, now=1)


def test_another_rate_is_another_edition_for_the_same_members() -> None:
    listed = with_rate(admit(None, A, "crawler", now=1), 250, now=2)
    assert (listed.edition, listed.rate, listed.members) == (2, 250, (Member(key=A),))
    assert admit(listed, B, "notes", now=3).rate == 250
