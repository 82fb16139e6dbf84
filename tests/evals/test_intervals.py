from math import log2, nan, sqrt

import numpy as np
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


def test_the_interval_of_0s_and_1s_is_that_of_wilson():
    score = intervals.score("m", [1.0] * 9 + [0.0])
    assert (score.value, score.low, score.high) == pytest.approx((0.9, 0.5958, 0.9821), abs=1e-4)


def test_values_between_vary_less_than_0s_and_1s_and_so_do_their_means():
    between, either = intervals.score("m", [0.4, 0.6] * 20), intervals.score("m", [0.0, 1.0] * 20)
    assert (between.value, either.value) == (0.5, 0.5)
    assert between.high - between.low < 0.25 * (either.high - either.low)


def test_thirty_questions_that_are_all_right_are_no_proof_of_perfection():
    score = intervals.score("m", [1.0] * 30)
    assert (score.value, score.low, score.high) == pytest.approx((1.0, 0.8865, 1.0), abs=1e-4)
    one = intervals.score("m", [0.4])
    assert (one.low < 0.1, one.high > 0.8) == (True, True)


def test_values_outside_of_0_to_1_have_an_interval_too():
    score = intervals.score("cosine", [-0.2, 0.9, 0.5, 0.4] * 10)
    assert score.value == pytest.approx(0.4)
    assert -0.2 < score.low < 0.4 < score.high < 0.9


def test_f1_is_the_harmonic_mean_and_lies_in_its_interval():
    precision, recall = 6 / 8, 6 / 10
    interval = intervals.f1_interval(both=6, one=2 + 4)
    assert interval.mean == pytest.approx(2 * precision * recall / (precision + recall))
    assert 0.4 < interval.low < interval.mean < interval.high < 0.9
    assert intervals.f1_interval(0, 0) == intervals.proportion_interval(0, 0) == intervals.UNMEASURED
    assert intervals.f1_interval(0, 5).mean == 0.0


# The discounts of nDCG for ranks 1 and 2 to 10, and nothing found.
DISCOUNTS = [0.0, 1.0, *(1 / log2(rank + 1) for rank in range(2, 11))]


def ndcg_like(mean: float) -> list[float]:
    """How likely each discount is: many questions are all right, some all wrong, and of the others most are near the top."""

    def chances(perfect: float) -> list[float]:
        wrong = (1 - perfect) * (0.75 if mean < 0.5 else 0.4)
        return [wrong, perfect, *((1 - perfect - wrong) * share for share in (0.3, 0.2, 0.12, 0.1, 0.08, 0.07, 0.05, 0.04, 0.04))]

    return min((chances(n / 1000) for n in range(1000)), key=lambda found: abs(float(np.dot(found, DISCOUNTS)) - mean))


@pytest.mark.parametrize("questions", [50, 150, 300])
@pytest.mark.parametrize("mean", [0.3, 0.5, 0.7, 0.85, 0.95])
def test_intervals_hold_the_true_mean_in_95_of_100_samples(questions, mean):
    rng = np.random.default_rng(7)
    chances = ndcg_like(mean)
    truth = float(np.dot(chances, DISCOUNTS))
    samples = (rng.choice(DISCOUNTS, questions, p=chances).tolist() for _ in range(1000))
    held = sum(found.low <= truth <= found.high for found in map(intervals.share_interval, samples))
    assert 930 <= held <= 970


@pytest.mark.parametrize("questions", [50, 150, 300])
@pytest.mark.parametrize(("caught", "false_alarms"), [(0.65, 0.15), (0.9, 0.05), (0.4, 0.3)])
def test_intervals_of_precision_recall_and_f1_hold_the_true_value_in_95_of_100_samples(questions, caught, false_alarms):
    """A third of the questions has no answer; of those `caught` are declined, of the others `false_alarms`.

    4,000 samples: three shares are looked at nine times, and chance alone would put one of 1,000 outside.
    """
    rng = np.random.default_rng(7)
    right, wrong, missed = caught / 3, 2 * false_alarms / 3, (1 - caught) / 3
    truth = (right / (right + wrong), caught, 2 * right / (2 * right + wrong + missed))
    held = np.zeros(3)
    for _ in range(4000):
        both, alarms, lost, _rest = (int(n) for n in rng.multinomial(questions, [right, wrong, missed, 1 - right - wrong - missed]))
        found = (
            intervals.proportion_interval(both, both + alarms),
            intervals.proportion_interval(both, both + lost),
            intervals.f1_interval(both, alarms + lost),
        )
        held += [each.low <= true <= each.high for each, true in zip(found, truth, strict=True)]
    assert ((held >= 0.93 * 4000) & (held <= 0.97 * 4000)).all(), held


def test_nothing_measured_is_not_zero():
    assert intervals.score("m", []) == Score("m", None, None, None, 0, 0)
    assert intervals.score("m", [None, nan], of=5) == Score("m", None, None, None, 0, 5)


def test_unmeasured_questions_do_not_pull_the_mean_down():
    assert intervals.score("m", [1.0, None, nan, 1.0]) == Score("m", 1.0, pytest.approx(0.342, abs=1e-3), 1.0, 2, 4)
