from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pkgstats.facts import PackageFact
from pkgstats.lookup import SUGGESTIONS_MAX, Answer, Catalogue


def catalogue(**downloads: int) -> Catalogue:
    facts = [PackageFact(name, "1.0.0", count) for name, count in downloads.items()]
    return Catalogue(Answer(fact, "writer-1", block) for block, fact in enumerate(facts))


def test_an_answer_says_who_said_it_and_where() -> None:
    found = catalogue(a=1, b=2).find("b")
    assert found == Answer(PackageFact("b", "1.0.0", 2), "writer-1", 1)
    assert catalogue(a=1).find("A") is None


def test_the_last_of_several_facts_stands() -> None:
    old, new = PackageFact("a", "1.0.0", 1), PackageFact("a", "2.0.0", 1)
    both = Catalogue([Answer(old, "writer-1", 0), Answer(new, "writer-2", 0)])
    assert len(both) == 1
    assert both.find("a") == Answer(new, "writer-2", 0)


def test_suggestions_begin_with_the_prefix_most_downloaded_first() -> None:
    some = catalogue(react=5, redux=9, rxjs=20, re=1, vue=30)
    assert some.suggest("re") == ["redux", "react", "re"]
    assert some.suggest("re", limit=1) == ["redux"]
    assert some.suggest("x") == []


def test_a_misspelt_end_still_leads_somewhere() -> None:
    some = catalogue(react=5, redux=9, vue=30)
    assert some.suggest_longest("reacd") == ["react"]
    assert some.suggest_longest("zzz") == []


@settings(max_examples=50)
@given(st.lists(st.text("ab", min_size=1, max_size=4), unique=True), st.text("ab", max_size=3))
def test_suggestions_are_those_of_a_plain_search(names: list[str], prefix: str) -> None:
    some = catalogue(**dict.fromkeys(names, 1))
    expected = sorted(name for name in names if name.startswith(prefix))
    assert some.suggest(prefix) == expected[:SUGGESTIONS_MAX]
