from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.pkgstats.fake_registry import faults

from pkgstats.crawler.looking import Looking
from pkgstats.crawler.plan import FULL, LIGHT
from pkgstats.crawler.teller import Teller
from pkgstats.sources.errors import AnswerError

from .world import Clock, Member, fake, member, populate

if TYPE_CHECKING:
    from pathlib import Path

AT = 1_790_000_000_000


def looking(one: Member) -> tuple[Looking, Teller]:
    assert one.node.writer is not None
    teller = Teller(one.node.writer, one.memory)
    return Looking(one.crawler.sources, one.memory, teller, one.view), teller


async def test_what_a_look_finds(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        look, teller = looking(one)
        populate(registry, "a", "held")
        registry.npm.hold("held")
        assert await look.look("a", FULL, AT) == "here"
        assert look.row("a") == ("a", "1.0.0", 0, "package 1")
        assert look.row("nobody") is None
        await teller.flush(AT, look.row)
        assert await look.look("a", FULL, AT) == "same"
        assert await look.look("a", LIGHT, AT) == "same"
        assert await look.look("held", FULL, AT) == "gone"
        assert await look.look("nobody", LIGHT, AT) == "unknown"
        del registry.npm.packages["a"]
        assert await look.look("a", LIGHT, AT) == "gone"


async def test_an_answer_that_is_none_is_an_error(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        look, _ = looking(one)
        registry.script("/a", faults.body(b'{"name":"b"}'))
        with pytest.raises(AnswerError):
            await look.look("a", FULL, AT)
