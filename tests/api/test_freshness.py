"""The freshness level over HTTP, in the metrics, and as events in Prefect."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.api.prefect_server import FakePrefect
from tests.api.running import RunningApi

STUCK = "groundwork.freshness.stuck"


def test_a_put_and_a_delete_are_observed_with_their_source(own: RunningApi):
    own.start_ingester()
    assert own.put("a", "Copper was mined in Falun.").status == 200
    assert own.delete("a").status == 200
    own.until(lambda: len(own.get("/v1/freshness").json["express"]) == 2)
    reply = own.get("/v1/freshness").json
    assert {(level["source"], level["kind"], level["count"]) for level in reply["express"]} == {
        ("http", "searchable", 1),
        ("http", "unsearchable", 1),
    }
    assert all(0 < level["p50"] <= level["p99"] < 20 for level in reply["levels"])
    assert (reply["state"], reply["goal_s"], reply["waiting"]) == ("ok", 3.0, {"express": 0, "bulk": 0})
    metrics = own.get("/metrics").text
    assert 'groundwork_time_to_searchable_seconds_count{source="http"} 1.0' in metrics
    assert 'groundwork_time_to_unsearchable_seconds_count{source="http"} 1.0' in metrics
    assert 'groundwork_freshness_alarm{state="ok"} 1.0' in metrics


def test_what_waits_is_told_by_lane(own: RunningApi):
    own.put("a", "one", wait=0)
    lines = [{"doc_id": f"b{number}", "text": "two"} for number in range(11)]
    own.post("/v1/documents", content="\n".join(json.dumps(line) for line in lines), headers={"Content-Type": "application/x-ndjson"})
    reply = own.get("/v1/freshness").json
    assert reply["waiting"] == {"express": 1, "bulk": 11}
    assert 0 <= reply["oldest_waiting_s"] < 30


@pytest.mark.thorough
def test_a_dead_ingester_is_told_by_ready_by_metrics_and_to_prefect(tmp_path: Path):
    with FakePrefect() as prefect, RunningApi(tmp_path, prefect=prefect.api_url) as api:
        api.start_ingester()
        api.put("a", "one")
        api.stop_ingester()
        api.put("b", "two", wait=0)
        assert api.get("/health/ready").json["freshness"] == {"state": "ok", "detail": ""}
        api.app.state["monitor"].clock = lambda: datetime.now(UTC) + timedelta(hours=1)
        api.until(lambda: api.get("/health/ready").json["freshness"]["state"] == "stuck")
        ready = api.get("/health/ready")
        assert ready.status == 200
        assert "is the ingester running?" in ready.json["freshness"]["detail"]
        assert 'groundwork_freshness_alarm{state="stuck"} 1.0' in api.get("/metrics").text
        api.until(lambda: prefect.told() == [STUCK])
        api.start_ingester()
        api.until(lambda: prefect.told() == [STUCK, "groundwork.freshness.recovered"])
