"""The forecast: curves through measurements, pace of growth, when the goal breaks, and what to do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from evals.capacity import Estimate, Situation, Sized, day_of, fit, forecast, growth

TODAY = datetime(2026, 6, 1, tzinfo=UTC)
GIB = 2**30


def sized(rows: int, p95_ms: float) -> Sized:
    """An index of 65 bytes a row in memory, 2,000 on disk."""
    return Sized(rows, p95_ms / 2, p95_ms, built_s=1.0, index_bytes=65 * rows, disk_bytes=2_000 * rows)


# 2 ms and a hundredth of the root of the rows: 50 ms at 23.04 million.
ROOT = [sized(rows, 2 + 0.01 * rows**0.5) for rows in (10_000, 40_000, 160_000, 640_000)]
NOW = Situation(640_000, 10.0, tail=0, made_for=640_000, vector_bytes=1_536, memory=8 * GIB, disk=100 * GIB)


def test_a_curve_goes_through_what_was_measured_and_says_how_sure_it_is():
    curve = fit([100, 400, 900, 1_600], [12.0, 22.0, 32.0, 42.0], power=0.5)
    assert curve.base == pytest.approx(2.0)
    assert curve.slope == pytest.approx(1.0)
    assert curve.at(2_500).value == pytest.approx(52.0)
    near, far = curve.at(1_600), curve.at(160_000)
    assert near.low < near.value < near.high
    assert far.high / far.value > near.high / near.value


def test_scattered_measurements_give_a_wide_interval():
    curve = fit([100, 400, 900, 1_600], [12.0, 30.0, 25.0, 50.0], power=0.5)
    assert curve.at(1_600).high > 1.5 * curve.at(1_600).value


def test_times_that_fall_with_rows_are_taken_as_level():
    assert fit([100, 400, 900], [9.0, 8.0, 7.0], power=0.5).slope == 0.0


def test_rows_a_day_are_the_median_slope_between_days_whatever_one_day_did():
    days = [(TODAY + timedelta(days=day), 1_000 * day) for day in range(10)]
    days[5] = (days[5][0], 90_000)
    found = growth([*days, (days[3][0] - timedelta(hours=3), 0)])
    assert found is not None
    assert found.value == pytest.approx(1_000.0)


def test_two_days_are_too_few_to_say_how_the_index_grows():
    assert growth([(TODAY, 5), (TODAY + timedelta(hours=1), 9), (TODAY + timedelta(days=1), 20)]) is None


def test_the_forecast_names_the_size_and_the_day_on_which_the_goal_breaks():
    told = forecast(NOW, ROOT, Estimate(100_000.0, 50_000.0, 200_000.0), TODAY, goal_ms=50.0)
    assert told.breaks_at_rows == 23_000_000
    assert told.low is not None
    assert told.high is not None
    assert told.low < 23_040_000 < told.high
    assert told.breaks_on is not None
    assert (told.breaks_on - TODAY).days == 224  # (23,040,000 - 640,000) / 100,000
    assert told.earliest is not None
    assert told.latest is not None
    assert told.earliest < told.breaks_on < told.latest
    assert told.reason is None


def test_a_goal_that_is_missed_already_breaks_today():
    told = forecast(NOW, ROOT, Estimate(10.0, 5.0, 20.0), TODAY, goal_ms=5.0)
    assert told.breaks_on == TODAY


def test_an_index_that_does_not_grow_breaks_never():
    told = forecast(NOW, ROOT, Estimate(0.0, -5.0, 5.0), TODAY, goal_ms=50.0)
    assert (told.breaks_on, told.latest, told.reason) == (None, None, "the index does not grow")
    assert told.breaks_at_rows is not None


def test_too_few_sizes_are_no_forecast_and_it_says_why():
    told = forecast(replace(NOW, rows=900), ROOT[:2], None, TODAY, goal_ms=50.0)
    assert (told.p95_ms, told.breaks_at_rows) == (10.0, None)
    assert told.reason == "900 rows are too few to measure several sizes of"


def test_memory_and_disk_are_full_where_the_bytes_of_a_row_fill_what_is_free():
    told = forecast(NOW, ROOT, None, TODAY, goal_ms=50.0)
    assert told.memory_full_at_rows == 5_370_000  # 8 GiB of 65 and 1,536 bytes
    assert told.disk_full_at_rows == 54_300_000  # 640,000, and 100 GiB of 2,000 bytes
    assert told.reason == "releases of three days are needed to say when"


def test_each_action_says_what_it_brings_and_only_those_that_bring_something_are_named():
    told = forecast(NOW, ROOT, None, TODAY, goal_ms=50.0)
    assert [action.do[:28] for action in told.actions] == ["split the documents over 2 i", "split the documents over 4 i"]
    assert told.actions[1].effect == "p95 10.0 -> 6.0 ms; the goal holds up to 92,200,000 rows"
    behind = replace(NOW, p95_ms=30.0, tail=50_000, made_for=200_000)
    first, second, *_ = forecast(behind, ROOT, None, TODAY, goal_ms=50.0).actions
    assert (first.effect, second.effect) == ("p95 30.0 -> 10.0 ms", "p95 30.0 -> 10.0 ms")
    assert "50,000 rows are in no index" in first.do
    assert "for 640,000 rows (it was made for 200,000)" in second.do


@pytest.mark.parametrize(("target", "per_day", "day"), [(50, 1.0, TODAY), (110, 1.0, TODAY + timedelta(days=10)), (110, 0.0, None)])
def test_the_day_on_which_so_many_rows_are_reached(target: float, per_day: float, day: datetime | None):
    assert day_of(100, target, per_day, TODAY) == day
