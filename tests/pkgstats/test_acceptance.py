"""Whose feeds are let in, and from when on."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from hypermultifeed import Peer
from pkgstats.acceptance import Acceptance
from pkgstats.records.model import GroupList, Member, WriterCard
from pkgstats.trust import CHECKS_MIN, Authority
from pkgstats.view.facts import WriterFacts

if TYPE_CHECKING:
    from pkgstats.view.reading import View

G = bytes(range(32))
A, B, C = b"a" * 32, b"b" * 32, b"c" * 32
NOBODY = Peer(None, None)


class Known:
    """What a view knows about writers."""

    def __init__(self, *writers: WriterFacts) -> None:
        self._writers = [*writers]

    def writers(self) -> list[WriterFacts]:
        return self._writers

    def group_list(self) -> GroupList:
        return GroupList(edition=1, members=(Member(key=A),), observed_at=1)


def writer(key: bytes, index: bytes, wrong: int = 0) -> WriterFacts:
    card = WriterCard(title="", cores={"meta": key, "index": index}, observed_at=1)
    return WriterFacts(
        key=key,
        role="crawler",
        card=card,
        heartbeat=None,
        cores={},
        checked=CHECKS_MIN,
        wrong=wrong,
        aside=wrong > 0,
    )


def judge(acceptance: Acceptance, *writers: WriterFacts, own: tuple[bytes, ...] = ()) -> list[str]:
    return acceptance.judge(cast("View", Known(*writers)), own)


def test_members_are_let_in_and_the_feeds_that_their_cards_name() -> None:
    acceptance = Acceptance(G)
    assert judge(acceptance) == ["meta"]
    assert acceptance.policy("meta")(A, NOBODY, {})
    assert not acceptance.policy("index")(B, NOBODY, {})
    assert judge(acceptance, writer(A, B)) == ["index"]
    assert acceptance.policy("index")(B, NOBODY, {})
    assert judge(acceptance, writer(A, B)) == []


def test_of_others_only_my_own_writers_are_let_in() -> None:
    acceptance = Acceptance(G)
    judge(acceptance, writer(B, C))
    assert not acceptance.policy("index")(C, NOBODY, {})
    assert judge(acceptance, writer(B, C), own=(B,)) == ["meta", "index"]
    assert acceptance.policy("index")(C, NOBODY, {})


def test_who_is_set_aside_is_let_in_and_so_is_who_claims_the_same_feed() -> None:
    acceptance = Acceptance(G)
    judge(acceptance, writer(A, B, wrong=CHECKS_MIN))
    assert acceptance.policy("index")(B, NOBODY, {})
    late = WriterFacts(
        key=C,
        role="crawler",
        card=WriterCard(title="", cores={"meta": C, "days": B}, observed_at=1),
        heartbeat=None,
        cores={},
        checked=0,
        wrong=0,
        aside=False,
    )
    assert judge(acceptance, writer(A, B, wrong=CHECKS_MIN), late, own=(C,)) == ["meta", "days"]
    assert acceptance.policy("index")(B, NOBODY, {})
    assert acceptance.policy("days")(B, NOBODY, {})


def test_only_what_counts_is_let_in() -> None:
    acceptance = Acceptance(G)
    meta, index = acceptance.policy("meta"), acceptance.policy("index")
    assert meta(G, NOBODY, {})
    assert not index(G, NOBODY, {})
    assert not meta(A, NOBODY, {})
    known = {G: Authority(G, "meta", "owner"), A: Authority(A, "meta", "crawler")}
    assert acceptance.update(known) == ["meta"]
    assert meta(A, NOBODY, {})
    assert not index(A, NOBODY, {})
    assert acceptance.update(known | {B: Authority(A, "index", "crawler")}) == ["index"]
    assert index(B, NOBODY, {})


def test_a_feed_that_another_writer_claims_for_another_kind_is_let_in_for_both() -> None:
    acceptance = Acceptance(G)
    views = ({B: Authority(A, "index", "crawler")}, {B: Authority(B, "days", "crawler")})
    assert acceptance.update(*views) == ["index", "days"]
    assert acceptance.policy("index")(B, NOBODY, {})
    assert acceptance.policy("days")(B, NOBODY, {})


def test_who_counts_no_longer_is_not_let_in_anew() -> None:
    acceptance = Acceptance(G)
    acceptance.update({A: Authority(A, "meta", "crawler")})
    assert acceptance.update({}) == []
    assert not acceptance.policy("meta")(A, NOBODY, {})
