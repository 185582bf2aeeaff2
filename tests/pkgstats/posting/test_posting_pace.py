from __future__ import annotations

import pytest

from pkgstats.posting.pace import REFUSED_S, Pace, wait_after_refusal

NOW = 1_790_000_000.0
PACE = Pace(gap_s=60, day_max=3)


@pytest.mark.parametrize(
    ("sent", "wait"),
    [
        ([], 0),
        ([NOW - 100, NOW - 45], 15),
        ([NOW - 60], 0),
        ([NOW + 5000], 60),
        ([NOW - 1, NOW - 2, NOW - 3], None),
    ],
)
def test_the_next_post_waits_for_its_turn(sent: list[float], wait: float | None) -> None:
    assert PACE.wait(sent, NOW) == wait


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, REFUSED_S),
        ({"retry-after": "30"}, 30),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "soon", "x-ratelimit-reset": "2026-09-21T14:14:00.000Z"}, 40),
        ({"x-ratelimit-reset": "2026-09-21T14:14:00"}, 40),
        ({"x-ratelimit-reset": "2000-01-01T00:00:00Z"}, 1),
        ({"x-ratelimit-reset": "never"}, REFUSED_S),
        ({"x-ratelimit-reset": "2" * 9999}, REFUSED_S),
        ({"x-ratelimit-reset": "0001-01-01T00:00:00+23:59"}, 1),
    ],
)
def test_a_refusal_says_how_long(headers: dict[str, str], wait: float) -> None:
    assert wait_after_refusal(headers, NOW) == wait
