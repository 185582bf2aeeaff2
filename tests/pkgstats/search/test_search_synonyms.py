from __future__ import annotations

from pkgstats.search.synonyms import PHRASE_WORDS_MAX, SAME
from pkgstats.search.text import stem


def test_words_of_a_group_lead_to_each_other() -> None:
    assert (stem("internationalization"),) in SAME["i18n"]
    assert ("i18n",) in SAME[stem("internationalization")]


def test_a_word_may_stand_for_several() -> None:
    assert ("command", "lin") in SAME["cli"]
    assert ("cli",) in SAME["command lin"]


def test_no_word_leads_to_itself() -> None:
    for phrase, others in SAME.items():
        assert phrase not in {" ".join(other) for other in others}


def test_phrases_are_short_enough_to_be_found() -> None:
    for phrase in SAME:
        assert 1 <= len(phrase.split()) <= PHRASE_WORDS_MAX
