from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest
from tests.pkgstats.crawler.world import fake

from pkgstats.group import Group
from pkgstats.sources import limiter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.pkgstats.fake_registry import FakeRegistry

LIST = "name\tversion\tdownloads_a_month\tsummary\nreact\t19.0.0\t900\tUI\nleft-pad\t1.3.0\t50\t\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A group of one's own without the facts that are shipped, which take a second each time."""
    found = tmp_path / "data"
    found.mkdir()
    Group.create(found)
    (tmp_path / "list.tsv").write_text(LIST)
    return found


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    """A fake registry in a thread of its own, whose addresses are in the environment."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    found = fake()
    asyncio.run_coroutine_threadsafe(found.__aenter__(), loop).result()
    monkeypatch.setenv("PKGSTATS_REGISTRY", found.url)
    monkeypatch.setenv("PKGSTATS_DOWNLOADS", found.downloads_url)
    monkeypatch.setenv("PKGSTATS_CHANGES", found.changes_url)
    rates = dict.fromkeys(limiter.RATES, limiter.Rate(10_000, 1000))
    monkeypatch.setattr(limiter, "HOST_RATE", limiter.Rate(10_000, 1000))
    monkeypatch.setattr(limiter, "BURST", 1000)
    monkeypatch.setattr(
        limiter.Limiter.__init__,
        "__kwdefaults__",
        {
            **(limiter.Limiter.__init__.__kwdefaults__ or {}),
            "rates": rates,
        },
    )
    yield found
    asyncio.run_coroutine_threadsafe(found.__aexit__(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
