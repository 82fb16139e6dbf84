from math import nan, sqrt

import pytest

from evals import intervals
from index.evaluations import Score


def test_the_interval_of_a_mean_is_about_two_standard_errors_wide():
    values = [0.0, 1.0] * 200
    score = intervals.score("m", values)
    assert score.value == 0.5
    assert score.low == pytest.approx(0.5 - 1.96 * 0.5 / sqrt(400), abs=0.01)
    assert score.high == pytest.approx(0.5 + 1.96 * 0.5 / sqrt(400), abs=0.01)


def test_the_same_values_give_the_same_interval():
    assert intervals.score("m", [0.1, 0.5, 0.7]) == intervals.score("m", [0.1, 0.5, 0.7])


@pytest.mark.parametrize("values", [[0.4], [0.4, 0.4, 0.4]])
def test_what_does_not_vary_has_an_interval_without_width(values):
    score = intervals.score("m", values)
    assert (score.value, score.low, score.high) == pytest.approx((0.4, 0.4, 0.4))


def test_nothing_measured_is_not_zero():
    assert intervals.score("m", []) == Score("m", None, None, None, 0, 0)
    assert intervals.score("m", [None, nan], of=5) == Score("m", None, None, None, 0, 5)


def test_unmeasured_questions_do_not_pull_the_mean_down():
    assert intervals.score("m", [1.0, None, nan, 1.0]) == Score("m", 1.0, 1.0, 1.0, 2, 4)
