"""New words among questions."""

import math

from evals.terms import Term, new_terms, share_beyond, terms


def test_names_and_versions_are_words():
    assert terms("How does asyncio.run() differ in 3.14, C++ or FLOW_RUN?") == {"asyncio.run", "does", "differ", "3.14", "c++", "flow_run"}


def test_words_that_two_questions_have_and_none_before_are_new():
    today = ["What is a transaction?", "transaction isolation", "old words", "once only"]
    found = new_terms(today, {"what", "is", "a", "old", "words"}, lambda word: word == "isolation")
    assert found == [Term("transaction", 2, in_corpus=False)]
    assert str(found[0]) == "transaction (2 questions, in no passage)"


def test_the_same_question_again_and_again_makes_no_word_new():
    assert new_terms(["a transaction", "a transaction"], set(), lambda _: False) == []


def test_the_share_counts_questions_with_a_word_that_no_passage_has():
    texts = ["old ferries", "old zeppelins", "old airships", "old ferries"]
    assert share_beyond(texts, {"old", "ferries"}, lambda word: word == "airships") == 0.25
    assert math.isnan(share_beyond([], set(), lambda _: True))
