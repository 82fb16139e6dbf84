"""The picture of scores over time: what its axis says."""

from datetime import UTC, datetime, timedelta

import pytest

from evals.scores_picture import draw

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(("apart", "format_"), [(timedelta(hours=1), "%d %b %H:%M"), (timedelta(days=30), "%d %b")])
def test_within_a_few_days_the_axis_tells_the_time_as_well(apart: timedelta, format_: str):
    points = [
        {"metric": "nDCG@10", "value": 0.7, "low": 0.6, "high": 0.8, "release": number, "at": NOON + number * apart} for number in (0, 1)
    ]
    drawn = draw({"points": points, "events": []})
    assert drawn
    [panel] = drawn.to_dict()["concat"]
    assert {layer["encoding"]["x"]["axis"]["format"] for layer in panel["layer"]} == {format_}
