"""The gate: what it lets through, what it holds, and when it says that it can't tell."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest

from evals.gate import Rule, Verdict, judged

LIVE = 0.7  # nDCG@10
QUESTIONS = 150


def values(numbers: Iterable[float]) -> dict[str, float]:
    return {f"q{n}": float(number) for n, number in enumerate(numbers)}


def verdicts(change: float, spread: float, candidates: int) -> Counter[Verdict]:
    """Those on candidates that change the score by a share of it, with a standard deviation by question."""
    rng = np.random.default_rng(11)
    rule = Rule(resamples=2_000)
    live = np.full(QUESTIONS, LIVE)
    return Counter(
        judged(values(live + rng.normal(change * LIVE, spread, QUESTIONS)), values(live), rule).verdict for _ in range(candidates)
    )


def test_the_same_values_are_promoted():
    judgement = judged(values([0.2, 0.9] * 20), values([0.2, 0.9] * 20))
    assert (judgement.verdict, judgement.delta, judgement.low, judgement.high) == (Verdict.PROMOTE, 0.0, 0.0, 0.0)


def test_a_small_fall_on_every_question_is_within_what_does_not_matter():
    assert judged(values([0.99] * 50), values([1.0] * 50)).verdict is Verdict.PROMOTE


def test_a_large_fall_on_every_question_is_held():
    judgement = judged(values([0.9] * 50), values([1.0] * 50))
    assert (judgement.verdict, judgement.margin) == (Verdict.HOLD, pytest.approx(0.05))


def test_few_questions_decide_nothing():
    judgement = judged(values([0.1] * 29), values([0.9] * 29))
    assert (judgement.verdict, judgement.questions, judgement.needed) == (Verdict.INCONCLUSIVE, 29, 30)


def test_only_questions_that_both_have_are_compared():
    shared = values([0.5] * 40)
    judgement = judged(shared | {"a": 0.0}, shared | {"b": 1.0})
    assert (judgement.verdict, judgement.questions, judgement.delta) == (Verdict.PROMOTE, 40, 0.0)


def test_the_same_questions_give_the_same_verdict():
    noise = np.random.default_rng(3).normal(0, 0.3, 50)
    assert judged(values(0.5 + noise), values([0.5] * 50)) == judged(values(0.5 + noise), values([0.5] * 50))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "verdict", "least", "most"),
    [
        (0.0, Verdict.PROMOTE, 800, 1000),
        (0.0, Verdict.HOLD, 0, 10),
        (-0.05, Verdict.PROMOTE, 0, 10),
        (-0.10, Verdict.HOLD, 950, 1000),
    ],
)
def test_of_a_thousand_candidates_the_right_ones_go_through(change, verdict, least, most):
    assert least <= verdicts(change, 0.12, 1000)[verdict] <= most


def test_equal_candidates_are_mostly_promoted_and_hardly_ever_held():
    found = verdicts(0.0, 0.12, 100)
    assert found[Verdict.PROMOTE] >= 70
    assert found[Verdict.HOLD] <= 1


@pytest.mark.thorough
def test_candidates_that_lose_what_matters_are_hardly_ever_promoted():
    assert verdicts(-0.05, 0.12, 100)[Verdict.PROMOTE] <= 2


def test_candidates_that_lose_twice_as_much_are_held():
    assert verdicts(-0.10, 0.12, 100)[Verdict.HOLD] >= 98


def test_where_questions_scatter_too_much_it_says_how_many_would_do():
    rng = np.random.default_rng(5)
    judgement = judged(values(rng.normal(LIVE, 0.23, QUESTIONS)), values([LIVE] * QUESTIONS))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.detectable == pytest.approx(0.0625, rel=0.15)
    assert judgement.needed == pytest.approx(480, rel=0.3)


def test_what_is_surely_better_is_promoted_however_much_it_scatters():
    noise = np.random.default_rng(5).normal(0, 0.23, QUESTIONS)
    assert judged(values(LIVE + 0.2 + noise - noise.mean()), values([LIVE] * QUESTIONS)).verdict is Verdict.PROMOTE
