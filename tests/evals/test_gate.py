from collections.abc import Iterable

import numpy as np
import pytest

from evals.gate import Comparison, not_significantly_worse


def values(numbers: Iterable[float]) -> dict[str, float]:
    return {f"q{n}": float(number) for n, number in enumerate(numbers)}


def test_the_same_values_hold():
    comparison = not_significantly_worse(values([0.2, 0.9]), values([0.2, 0.9]))
    assert comparison == Comparison(holds=True, delta=0.0, low=0.0, high=0.0, questions=2)


def test_a_small_fall_on_every_question_is_significant():
    baseline = np.linspace(0.2, 0.9, 50)
    comparison = not_significantly_worse(values(baseline - 0.05), values(baseline))
    assert not comparison.holds
    assert comparison.high == pytest.approx(-0.05)


def test_a_fall_that_noise_explains_holds():
    noise = np.random.default_rng(3).normal(0, 0.3, 50)
    comparison = not_significantly_worse(values(0.5 + noise - noise.mean() - 0.02), values([0.5] * 50))
    assert comparison.delta == pytest.approx(-0.02)
    assert comparison.holds


def test_one_much_worse_question_of_many_is_not_significant():
    assert not_significantly_worse(values([0.0] + [0.8] * 49), values([0.8] * 50)).holds


def test_a_rise_holds():
    comparison = not_significantly_worse(values([0.9, 0.9]), values([0.1, 0.3]))
    assert comparison.holds
    assert comparison.low == pytest.approx(0.6)
    assert comparison.high == pytest.approx(0.8)


def test_only_questions_that_both_have_are_compared():
    comparison = not_significantly_worse({"a": 0.5, "b": 0.0}, {"a": 0.5, "c": 1.0})
    assert (comparison.holds, comparison.questions) == (True, 1)


def test_without_common_questions_nothing_speaks_against_it():
    assert not_significantly_worse({"a": 0.1}, {"b": 0.9}) == Comparison(holds=True, delta=None, low=None, high=None, questions=0)
