from __future__ import annotations

import pytest

from pkgstats.crawler.budget import share
from pkgstats.records.model import GroupList, Heartbeat
from pkgstats.view.facts import WriterFacts

NOW = 1_790_000_000_000
ME = bytes(32)


def writer(number: int, refusals: int = 0) -> WriterFacts:
    told = {"downloads": refusals} if refusals else None
    heartbeat = Heartbeat(observed_at=NOW - 1000, refusals=told)
    return WriterFacts(bytes([number]) * 32, "crawler", None, heartbeat, {}, 0, 0, aside=False)


def test_alone_i_have_all_of_it() -> None:
    assert share([], ME, None, NOW) == 0.5
    assert share([writer(0)], ME, GroupList(edition=1, members=(), rate=1000, observed_at=1), NOW)


def test_all_together_never_ask_more_than_the_list_allows() -> None:
    listed = GroupList(edition=1, members=(), rate=1200, observed_at=1)
    writers = [writer(number) for number in range(4)]
    shares = [share(writers, one.key, listed, NOW) for one in writers]
    assert sum(shares) == pytest.approx(1.2)
    beyond = GroupList(edition=1, members=(), rate=900_000, observed_at=1)
    assert share([], ME, beyond, NOW) == 1.5


def test_three_that_were_refused_halve_it_for_all() -> None:
    two = [writer(0, 1), writer(1, 9), writer(2), writer(3)]
    three = [writer(0, 1), writer(1, 9), writer(2, 1), writer(3)]
    assert share(three, ME, None, NOW) == share(two, ME, None, NOW) / 2
