from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pkgstats.records.blocks import RECORDS_MAX
from pkgstats.view.saying import block_and_number, package_id, place_of, source_id, writer_id

if TYPE_CHECKING:
    from pkgstats.view.store import Store


@given(st.integers(0, 1 << 40), st.integers(0, RECORDS_MAX - 1))
def test_a_place_is_one_number(block: int, number: int) -> None:
    assert block_and_number(place_of(block, number)) == (block, number)


def test_ids_are_made_once(store: Store) -> None:
    database = store._database
    assert package_id(database, "a") == package_id(database, "a") != package_id(database, "A")
    assert source_id(database, "list") == source_id(database, "list") != source_id(database, "")
    assert writer_id(database, b"a") == writer_id(database, b"a") != writer_id(database, b"b")
