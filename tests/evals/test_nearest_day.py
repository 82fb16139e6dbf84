"""Days told from the most similar of other days."""

from collections import Counter

import numpy as np
import pytest

from evals.drift import Rule
from evals.nearest_day import mixed, shift, strange

RULE = Rule()


def asked(rng: np.random.Generator, about: int, count: int = 60) -> np.ndarray:
    """Vectors around one of the axes."""
    vectors = 0.3 * rng.normal(size=(count, 16))
    vectors[:, about] += 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_questions_like_those_of_some_day_are_not_strange_and_others_are_with_examples():
    rng = np.random.default_rng(1)
    days = [asked(rng, day % 2) for day in range(14)]
    assert strange("questions", asked(rng, 1), days, RULE).state == "ok"
    others = asked(rng, 5)
    reading = strange("questions", others, days, RULE, [f"text {number}" for number in range(60)])
    assert reading.state == "alarm"
    assert reading.effect > 0.2
    assert len(reading.examples) == 5


def test_a_day_with_few_questions_is_unmeasured():
    rng = np.random.default_rng(1)
    assert strange("questions", asked(rng, 0, 10), [asked(rng, 0) for _ in range(9)], RULE).state == "unmeasured"


def languages(german: int, of: int = 100) -> Counter[str]:
    return Counter({"en": of - german, "de": german})


def test_a_language_of_a_quarter_of_the_questions_is_an_alarm_that_says_which():
    days = [languages(german) for german in (2, 0, 4, 3, 1, 2, 5, 0)]
    assert mixed("languages", languages(9), days, RULE, 0.1, "questions").state == "ok"
    found = mixed("languages", languages(25), days, RULE, 0.1, "questions")
    assert (found.state, found.effect) == ("alarm", pytest.approx(0.2))
    assert found.examples == ("de: 25% of the questions, 2% before",)
    assert found.detail == "20% of 100 questions are others than on the most similar day before, usual up to 10%"


def test_languages_of_a_sunday_are_no_alarm_where_there_was_such_a_sunday():
    days = [languages(german) for german in (2, 0, 4, 3, 1, 40, 38, 0, 3)]
    assert mixed("languages", languages(42), days, RULE, 0.1, "questions").state == "ok"


def test_of_few_questions_it_takes_more_than_chance():
    days = [languages(german) for german in (2, 0, 4, 3, 1, 2, 5, 0)]
    assert mixed("languages", languages(5, 30), days, RULE, 0.1, "questions").state == "ok"
    assert mixed("languages", languages(15, 30), days, RULE, 0.1, "questions").state == "alarm"
    assert mixed("languages", languages(10, 20), days, RULE, 0.1, "questions").state == "unmeasured"
    assert mixed("languages", languages(50), days[:6], RULE, 0.1, "questions").state == "unmeasured"


def test_the_shift_of_two_mixtures_is_the_share_that_would_have_to_change():
    assert shift({"en": 9, "de": 1}, {"en": 50, "fr": 50}) == pytest.approx(0.5)
    assert np.isnan(shift({}, {"en": 1}))
