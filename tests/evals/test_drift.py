"""Monitors: falls told from chance."""

import numpy as np
import pytest

from evals.drift import Rule, below, fallen, fallen_lately, fewer, sign_flip
from evals.intervals import Interval

RULE = Rule()
ALL = {f"q{number}": 1.0 for number in range(100)}


def with_lost(count: int) -> dict[str, float]:
    """100 questions of which the first ones find nothing any more."""
    return {name: 0.0 if place < count else 1.0 for place, name in enumerate(ALL)}


def test_a_year_of_all_monitors_has_one_false_alarm():
    assert RULE.level == pytest.approx(1 / (365 * 16))


def test_twenty_questions_of_a_hundred_that_lost_all_are_an_alarm():
    reading = fallen("golden", with_lost(20), ALL, RULE)
    assert (reading.state, reading.effect) == ("alarm", pytest.approx(-0.2))
    assert reading.low < -0.2 < reading.high < 0
    assert reading.p < RULE.level
    assert reading.examples == ("q0", "q1", "q10", "q11", "q12")


def test_four_questions_are_not_for_they_may_be_chance_and_it_says_what_would_be_seen():
    reading = fallen("golden", with_lost(4), ALL, RULE)
    assert reading.state == "ok"
    assert reading.p == pytest.approx(1 / 2**4)
    assert reading.detectable == pytest.approx(0.13)
    assert "a fall of 13% would be seen" in reading.detail


@pytest.mark.thorough
def test_a_sure_fall_that_is_too_small_to_matter_is_no_alarm():
    before = {f"q{number}": 1.0 for number in range(1000)}
    now = dict.fromkeys(before, 0.98)
    assert fallen("golden", now, before, RULE).state == "ok"


def test_a_rise_is_no_alarm():
    assert fallen("golden", ALL, with_lost(20), RULE).state == "ok"


def test_few_questions_in_common_are_unmeasured():
    reading = fallen("golden", {f"q{number}": 0.0 for number in range(29)}, ALL, RULE)
    assert (reading.state, reading.effect) == ("unmeasured", None)
    assert "29 questions" in reading.detail


def test_as_many_wins_as_losses_are_chance():
    deltas = np.array([0.5, -0.5] * 20)
    assert sign_flip(deltas, RULE) == 1.0
    assert sign_flip(deltas - 0.01, RULE) > 0.3


def test_three_samples_together_show_what_one_does_not():
    before = {f"q{number}": 1.0 for number in range(300)}
    samples = [{name: float(place % 11 > 0) for place, name in enumerate(list(before)[start : start + 100])} for start in (0, 100, 200)]
    assert fallen_lately("golden", samples[:1], before, RULE).state == "ok"
    assert fallen_lately("golden", samples, before, RULE).state == "alarm"


def test_recall_is_an_alarm_when_its_whole_interval_is_below_the_target():
    assert below("recall", Interval(0.90, 0.88, 0.92), 0.95, "recall").state == "alarm"
    assert below("recall", Interval(0.94, 0.92, 0.96), 0.95, "recall").state == "ok"
    assert below("recall", Interval(None, None, None), 0.95, "recall").state == "unmeasured"


def test_fewer_useful_answers_are_an_alarm_when_that_is_no_chance():
    assert fewer("feedback", (40, 100), (800, 1000), RULE, "useful").state == "alarm"
    assert fewer("feedback", (74, 100), (800, 1000), RULE, "useful").state == "ok"
    assert fewer("feedback", (4, 10), (800, 1000), RULE, "useful").state == "unmeasured"
    reading = fewer("feedback", (40, 100), (800, 1000), RULE, "useful")
    assert reading.low < -0.4 < reading.high < -0.29
