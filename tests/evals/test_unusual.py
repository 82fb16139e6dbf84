"""Days told from other days."""

import math

import pytest

from evals.drift import Rule
from evals.unusual import Scale, unusual, without

RULE = Rule()


def test_a_day_far_from_all_others_is_unusual_on_its_bad_side_only():
    days = [0.50, 0.52, 0.49, 0.51, 0.50, 0.48, 0.51, 0.50]
    assert unusual("scores", 0.30, days, "low", RULE, 0.02, "score").state == "alarm"
    assert unusual("scores", 0.30, days, "high", RULE, 0.02, "score").state == "ok"
    assert unusual("scores", 0.48, days, "low", RULE, 0.02, "score").state == "ok"


def test_a_sunday_is_compared_with_sundays():
    week = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.1]
    wobble = [0.00, 0.01, -0.01, 0.01]
    days = [value + each for each in wobble for value in week]
    assert unusual("scores", 0.1, days[:-1], "low", RULE, 0.02, "score").state == "ok"
    assert unusual("scores", 0.1, days, "low", RULE, 0.02, "score").state == "alarm"


def test_days_without_questions_are_left_out_and_few_days_say_nothing():
    nothing = float("nan")
    assert unusual("scores", 0.1, [0.5] * 6, "low", RULE, 0.02, "score").state == "unmeasured"
    assert unusual("scores", nothing, [0.5] * 9, "low", RULE, 0.02, "score").state == "unmeasured"
    assert unusual("scores", 0.1, [0.5, nothing] * 8, "low", RULE, 0.02, "score").state == "alarm"


def test_two_rare_cases_in_a_day_may_be_chance_where_no_day_before_had_one_and_six_are_not():
    never = [0.0] * 14
    assert unusual("typing errors", 2 / 60, never, "high", RULE, 0.02, "share").state == "alarm"
    found = unusual("typing errors", 2 / 60, never, "high", RULE, 0.02, "share", [60] * 15)
    assert found.state == "ok"
    assert found.p == pytest.approx(0.0018, abs=0.001)
    assert "usual up to 0.033" in found.detail
    assert unusual("typing errors", 6 / 60, never, "high", RULE, 0.02, "share", [60] * 15).state == "alarm"


def test_of_days_that_differ_by_factors_the_double_of_the_busiest_is_no_alarm():
    days = [0.001, 0.02, 0.004, 0.06, 0.002, 0.015, 0.03, 0.001, 0.008, 0.05] * 2
    by_factors = Scale(0.01)
    assert unusual("corpus", 0.12, days, "high", RULE, 0.1, "share", scale=by_factors).state == "ok"
    found = unusual("corpus", 0.9, days, "high", RULE, 0.1, "share", scale=by_factors)
    assert (found.state, found.effect) == ("alarm", pytest.approx(0.9 - 0.0144, abs=0.005))
    assert found.low < found.effect < found.high


def test_what_may_be_too_much_or_too_little_is_an_alarm_on_both_sides():
    days = [9.5, 10.0, 10.5, 10.2, 9.8, 10.1, 9.9, 10.0]
    assert [unusual("length", value, days, "both", RULE, 2.5, "tokens").state for value in (6.0, 9.7, 15.0)] == ["alarm", "ok", "alarm"]
    assert "usual 7.500 to 12.500" in unusual("length", 10.0, days, "both", RULE, 2.5, "tokens").detail


def test_days_with_an_alarm_are_not_what_is_usual_until_nobody_has_mended_it_for_two_weeks():
    assert without([1.0, 2.0, 9.0, 9.0], 1)[:2] == [1.0, 2.0]
    assert math.isnan(without([1.0, 2.0, 9.0, 9.0], 1)[2])
    assert sum(map(math.isnan, without([1.0] * 29, 25))) == 14
