"""The forecast over HTTP."""

from datetime import UTC, datetime

from tests.api.running import RunningApi

TOLD = {
    "rows": 900_000,
    "p95_ms": 7.5,
    "goal_ms": 50.0,
    "breaks_at_rows": 23_000_000,
    "low": 15_000_000,
    "high": None,
    "breaks_on": datetime(2027, 1, 2, tzinfo=UTC),
    "actions": [{"do": "split", "effect": "p95 7.5 -> 5.0 ms"}],
    "sizes": [{"rows": 10_000}],
}


def test_before_the_first_measurement_there_are_nulls_and_a_reason(own: RunningApi):
    told = own.get("/v1/capacity").json
    assert (told["p95_ms"], told["breaks_at_rows"], told["breaks_on"], told["goal_ms"]) == (None, None, None, 50.0)
    assert told["reason"].startswith("not measured yet: the deployment 'capacity'")


def test_the_newest_forecast_is_told_with_when_it_was_made(own: RunningApi):
    own.store.forecasts.write(datetime(2026, 6, 2, tzinfo=UTC), TOLD)
    own.store.forecasts.write(datetime(2026, 6, 1, tzinfo=UTC), TOLD | {"rows": 1})
    told = own.get("/v1/capacity").json
    assert (told["rows"], told["breaks_at_rows"], told["low"], told["high"]) == (900_000, 23_000_000, 15_000_000, None)
    assert told["breaks_on"] == "2027-01-02T00:00:00+00:00"
    assert told["actions"] == [{"do": "split", "effect": "p95 7.5 -> 5.0 ms"}]
    assert told["measured_at"].startswith("2026-06-02")
    assert "sizes" not in told
