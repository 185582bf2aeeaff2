from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from pkgstats.search.typos import (
    LONGEST,
    SHORTEST,
    Buckets,
    Vocabularies,
    Vocabulary,
    buckets_of,
    distance,
    edits_allowed,
    neighbourhood,
    rows_in,
)

WORDS = st.text("abcdef", min_size=SHORTEST + 1, max_size=20)


@given(WORDS, st.data())
def test_texts_one_edit_apart_share_a_key(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text) - 2))
    letter = data.draw(st.sampled_from("abcxyz"))
    head, tail = text[:place], text[place:]
    for other in (
        head + letter + tail,
        head + tail[1:],
        head + letter + tail[1:],
        head + tail[1] + tail[0] + tail[2:],
    ):
        assert neighbourhood(text) & neighbourhood(other), other


def test_very_short_and_long_texts_have_no_neighbours() -> None:
    assert neighbourhood("abc") == neighbourhood("a" * (LONGEST + 1)) == set()
    assert len(neighbourhood("abcd")) == 5


def test_more_edits_are_allowed_in_longer_texts() -> None:
    assert [edits_allowed(length) for length in (3, 4, 7, 8, 40)] == [0, 1, 1, 2, 2]


def test_distance_stops_counting() -> None:
    assert distance("lodahs", "lodash", 2) == 1
    assert distance("abcdef", "ghijkl", 2) == 3


def test_rows_are_found_through_their_buckets() -> None:
    buckets = Buckets()
    for row, name in enumerate(["lodash", "express", "lodahs", "react"], start=1):
        buckets.add(name, row)
    blobs = dict(buckets.blobs())
    keys = neighbourhood("lodas")
    found = rows_in(((one, blobs[one]) for one in buckets_of(keys) if one in blobs), keys)
    assert {1, 3} <= found
    assert 2 not in found


def test_buckets_take_more_rows_later() -> None:
    first, second = Buckets(), Buckets()
    first.add("lodash", 1)
    old = dict(first.blobs())
    second.add("lodash", 7)
    for bucket in second.touched():
        second.load(bucket, old[bucket])
    new = dict(second.blobs())
    assert rows_in(new.items(), neighbourhood("lodash")) == {1, 7}
    assert old.keys() == new.keys()


def test_numbers_that_do_not_fit_are_left_out() -> None:
    buckets = Buckets()
    buckets.add("lodash", 1 << 22)
    assert buckets.touched() == []


def test_a_stranger_is_not_found() -> None:
    assert rows_in([], neighbourhood("lodash")) == set()


COUNTED = {
    "whitespace": 40,
    "normalize": 135,
    "normalizer": 21,
    "stream": 878,
    "jest": 9,
    "hast": 6,
}


def test_words_within_two_edits_are_corrected() -> None:
    vocabulary = Vocabulary(COUNTED.items())
    assert vocabulary.corrections("whitrspace")[0] == ("whitespace", 1)
    assert vocabulary.corrections("stttream")[0] == ("stream", 2)
    assert [one.word for one in vocabulary.corrections("normslize")] == ["normalize", "normalizer"]


def test_the_common_one_of_two_equally_near_comes_first() -> None:
    assert [one.word for one in Vocabulary(COUNTED.items()).corrections("jast")] == ["jest", "hast"]


def test_a_word_is_no_correction_of_itself() -> None:
    vocabulary = Vocabulary(COUNTED.items())
    assert "stream" in vocabulary
    assert len(vocabulary) == len(COUNTED)
    assert vocabulary.corrections("stream") == []
    assert vocabulary.corrections("x" * 100) == []


@given(WORDS, st.lists(WORDS, unique=True, max_size=30))
def test_corrections_are_all_within_reach(word: str, known: list[str]) -> None:
    found = Vocabulary((one, 1) for one in known).corrections(word, limit=100)
    most = edits_allowed(len(word) + 2)
    assert {one.word for one in found} == {
        one
        for one in known
        if 0 < OSA.distance(one, word) <= most and (one[0] == word[0] or one[-1] == word[-1])
    }


def test_a_vocabulary_is_made_once_for_each_state() -> None:
    vocabularies = Vocabularies()
    first = vocabularies.get(("a", 1), COUNTED.items)
    assert vocabularies.get(("a", 1), list) is first
    assert len(vocabularies.get(("a", 2), list)) == 0
