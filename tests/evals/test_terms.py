"""New words among questions."""

import math

from evals.terms import Term, new_terms, questions_with, share_beyond, terms


def test_names_and_versions_are_words():
    assert terms("How does asyncio.run() differ in 3.14, C++ or FLOW_RUN?") == {"asyncio.run", "does", "differ", "3.14", "c++", "flow_run"}


def test_words_that_no_passage_has_are_new_when_asked_once_and_those_that_passages_have_when_asked_twice():
    today = ["What is a transaction?", "transaction isolation", "isolation of words", "old zeppelins", "words often asked"]
    found = new_terms(today, {"old", "words"}, lambda word: word not in {"transaction", "zeppelins"})
    assert found == [Term("transaction", 2, in_corpus=False), Term("zeppelins", 1, in_corpus=False), Term("isolation", 2, in_corpus=True)]
    assert [str(term) for term in found] == [
        "transaction (2 questions, in no passage)",
        "zeppelins (1 question, in no passage)",
        "isolation (2 questions)",
    ]


def test_the_same_question_again_and_again_counts_once():
    assert new_terms(["a transaction", "a transaction"], set(), lambda _: True) == []


def test_questions_with_most_of_the_words_are_told_first_and_once():
    today = ["old ferries", "a zeppelin", "zeppelin hangars", "a zeppelin"]
    assert questions_with(today, {"zeppelin", "hangars"}) == ["zeppelin hangars", "a zeppelin"]


def test_the_share_counts_questions_with_a_word_that_no_passage_has():
    texts = ["old ferries", "old zeppelins", "old airships", "old ferries"]
    assert share_beyond(texts, {"old", "ferries"}, lambda word: word == "airships") == 0.25
    assert math.isnan(share_beyond([], set(), lambda _: True))
