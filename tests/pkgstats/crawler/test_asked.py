from __future__ import annotations

import pytest

from pkgstats.crawler.asked import Asked, is_user
from pkgstats.crawler.plan import FULL, HOUR_MS, LIGHT
from pkgstats.sources.errors import AnswerError


def test_users_and_packages_are_told_apart() -> None:
    asked = Asked(("@ada", "@s/x", "react"))
    assert (asked.users, asked.packages) == (["ada"], ["@s/x", "react"])
    assert is_user("@ada")
    assert not is_user("@ada/x")
    for wrong in ("no name", "@", "@a/b/c", ".x", "\x1b[1m"):
        with pytest.raises(AnswerError, match="no name of a package"):
            Asked((wrong,)).check()
    asked.check()


def test_what_is_named_is_looked_at_in_full_and_always() -> None:
    assert (Asked(("a",)).wanted, Asked(("a",)).age_ms) == (FULL, 0)
    assert (Asked(top=9).wanted, Asked(top=9).age_ms) == (LIGHT, 20 * HOUR_MS)
    assert (Asked(("@u",)).wanted, Asked(("@u",)).age_ms) == (FULL, 20 * HOUR_MS)
    assert Asked(top=9, full=True).wanted == FULL
    assert Asked(("a",), max_age=0.5).age_ms == HOUR_MS // 2
