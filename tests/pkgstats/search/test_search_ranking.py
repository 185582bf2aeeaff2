from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.search.documents import document
from pkgstats.search.ranking import FEATURES, Ranker
from pkgstats.search.terms import wanted

from .corpus import TABLE, row_of, rows_of

DOCUMENTS = {row.name: document(number, row) for number, row in enumerate(rows_of(TABLE), start=1)}


def ranker(text: str, **corrected: str) -> Ranker:
    asked = wanted(text, lambda _: 5, 1000)
    for term in asked.terms:
        if term.word in corrected:
            term.corrected = (corrected[term.word],)
    return Ranker(asked)


def features(text: str, name: str, **corrected: str) -> dict[str, float]:
    values = ranker(text, **corrected).features(DOCUMENTS[name])
    return {feature.name: value for feature, value in zip(FEATURES, values, strict=True)}


def test_each_feature_has_a_name_and_a_meaning() -> None:
    assert len({feature.name for feature in FEATURES}) == len(FEATURES)
    assert all(feature.meaning and feature.weight for feature in FEATURES)


@pytest.mark.parametrize(
    ("text", "name", "feature"),
    [
        ("react", "react", "exact"),
        ("REACT", "react", "exact"),
        ("socketio", "socket.io", "same"),
        ("lodash", "lodash-es", "starts"),
        ("types react", "@types/react", "same"),
        ("react", "@types/react", "inner"),
        ("lodahs", "lodash", "near"),
        ("loddahs", "lodash", "nearly"),
        ("react-tabel", "react-table", "near"),
        ("types lodash", "@types/lodash", "first"),
        ("csv text", "csv-parse", "phrase"),
        ("websocket", "ws", "dense"),
        ("http", "request", "deprecated"),
        ("react", "@types/react", "typings"),
    ],
)
def test_features_that_hold(text: str, name: str, feature: str) -> None:
    assert features(text, name)[feature] > 0


@pytest.mark.parametrize(
    ("text", "name", "feature"),
    [
        ("react", "react-dom", "exact"),
        ("react", "react", "near"),
        ("react", "ws", "nearly"),
        ("ab", "ws", "nearly"),
        ("text csv", "csv-parse", "phrase"),
        ("http", "got", "deprecated"),
        ("react", "react-dom", "typings"),
    ],
)
def test_features_that_do_not(text: str, name: str, feature: str) -> None:
    assert features(text, name)[feature] == 0


def test_how_well_a_word_is_met() -> None:
    met = [
        features("tables", "@tanstack/react-table")["met"],  # in the summary, as it is
        features("sorts", "react-table")["met"],  # inflected there
        features("lightweight", "ws")["met"],  # a small one means the same
        features("delimited csv", "fast-csv")["met"],  # one word of two
        features("kubernetes", "ws")["met"],
    ]
    assert met == sorted(met, reverse=True)
    assert met[0] == met[1] == 1
    assert 0 < met[3] < met[2] < 1
    assert met[4] == 0


def test_a_word_as_it_was_typed_counts_more_than_an_inflected_one() -> None:
    assert features("sorting", "react-table")["literal"] == 1
    assert features("sorts", "react-table")["literal"] == 0
    assert features("object", "lodash")["literal"] == 0, "part of a longer word"


def test_corrected_words_meet_less() -> None:
    plain = features("lodahs merge", "lodash.merge")
    helped = features("lodahs merge", "lodash.merge", lodahs="lodash")
    assert plain["met"] < helped["met"] < 1


def test_popularity_decides_among_equals() -> None:
    ask = ranker("type declarations")
    scores = [ask.score(DOCUMENTS[f"@types/{name}"]) for name in ("node", "react", "lodash")]
    assert scores == sorted(scores, reverse=True)


@given(
    st.sampled_from(
        ["react", "lodahs", "csv parse", "rate limiting", "@types/", "***", "", "日本", "is-s"]
    ),
    st.sampled_from(sorted(DOCUMENTS)),
)
def test_the_parts_sum_up_to_the_score(text: str, name: str) -> None:
    ask, one = ranker(text), DOCUMENTS[name]
    parts = ask.explain(one)
    assert math.isclose(sum(part.points for part in parts), ask.score(one), abs_tol=1e-9)
    assert all(part.meaning and part.points for part in parts)
    assert all(0 <= value <= 1 for value in ask.features(one))


def test_what_was_meant() -> None:
    assert ranker("lodahs").did_you_mean([DOCUMENTS["lodash"]]) == "lodash"
    assert ranker("lodash").did_you_mean([DOCUMENTS["lodash"]]) is None
    assert ranker("xyz").did_you_mean([]) is None


def test_words_that_stand_nowhere_are_replaced_by_what_was_meant() -> None:
    asked = wanted("fsat csv", lambda root: 0 if root == "fsat" else 5, 1000)
    asked.terms[0].corrected = ("fast", "flat")
    assert Ranker(asked).did_you_mean([DOCUMENTS["csv-parse"]]) == "fast csv"


def test_no_downloads_are_no_trouble() -> None:
    assert ranker("a").score(document(1, row_of("a 1.0.0 0"))) > 0
