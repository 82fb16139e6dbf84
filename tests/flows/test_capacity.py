"""The report of a forecast."""

from datetime import UTC, datetime

from evals.capacity import Action, Forecast, Sized
from flows.capacity import report, verdict

SIZES = [Sized(rows, 2.0, 4.0, 1.5, 65 * rows, 2_000 * rows) for rows in (10_000, 20_000, 40_000, 80_000)]


def day(number: int) -> datetime:
    return datetime(2027, 1, number, tzinfo=UTC)


def test_a_forecast_names_size_and_day_with_their_intervals():
    told = Forecast(80_000, 50.0, 4.0, 2_000_000, 1_500_000, 3_000_000, day(10), day(5), None, rows_per_day=1_000.0)
    assert verdict(told) == (
        "p95 passes the goal at about 2,000,000 rows (95 % interval 1,500,000 to 3,000,000), at 1,000 rows a day on 2027-01-10 "
        "(2027-01-05 to never)."
    )


def test_the_report_shows_the_picture_what_to_do_and_what_was_measured():
    text = report(Forecast(80_000, 50.0, 4.0, 2_000_000, 1_500_000, None, sizes=SIZES, actions=[Action("split", "p95 4 -> 3 ms")]))
    assert "data:image/svg+xml;base64," in text
    assert "- split: p95 4 -> 3 ms" in text
    assert "| 80,000 | 2.0 | 4.0 | 1.5 |" in text
    assert "1,500,000 or more" in text


def test_without_a_forecast_the_report_says_why():
    text = report(Forecast(900, 50.0, 4.0, reason="900 rows are too few to measure several sizes of"))
    assert "No forecast: 900 rows are too few" in text
    assert "image/svg" not in text
