"""Everything in this folder needs live JavaScript peers, and says so where it is skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from .js_peer import why_not

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = why_not()
    for item in items:
        if HERE not in item.path.parents:
            continue
        item.add_marker(pytest.mark.interop)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))
