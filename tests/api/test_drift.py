"""`/v1/drift`, pictures and their metrics."""

from datetime import UTC, datetime

from tests.api.running import RunningApi

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
MONITOR = {
    "name": "golden questions",
    "state": "alarm",
    "detail": "0.7 -> 0.5",
    "effect": -0.23,
    "low": -0.3,
    "high": -0.16,
    "p": 0.0001,
    "detectable": 0.09,
    "examples": ["Where is copper mined?"],
    "cause": "a bad batch",
    "release": 7,
    "runbook": "Roll back.",
    "since": AT,
    "quiet": 0,
}
QUIET = MONITOR | {"name": "recall", "state": "unmeasured", "effect": None, "cause": None, "since": None, "examples": []}
REPORT = {
    "worse": True,
    "by": -0.23,
    "since": AT,
    "cause": "a bad batch",
    "monitors": [MONITOR, QUIET],
    "release": 9,
    "best": {"at": AT, "release": 3, "value": 0.71, "now": 0.5, "questions": 120},
}


def test_drift_is_told_over_http(own: RunningApi):
    first = own.get("/v1/drift")
    assert (first.status, first.json["worse"], first.json["monitors"]) == (200, False, [])
    assert "deployment 'drift'" in first.json["reason"]

    own.store.drift.write(AT, REPORT)
    told = own.get("/v1/drift").json
    assert (told["worse"], told["by"], told["cause"]) == (True, -0.23, "a bad batch")
    assert told["since"].startswith("2026-05-04T12:00:00")
    assert (told["best"]["release"], told["best"]["value"], told["best"]["now"], told["best"]["questions"]) == (3, 0.71, 0.5, 120)
    golden, recall = told["monitors"]
    assert (golden["name"], golden["release"], golden["examples"]) == ("golden questions", 7, ["Where is copper mined?"])
    assert (recall["state"], recall["effect"]) == ("unmeasured", None)

    metrics = own.get("/metrics").text
    assert 'groundwork_drift_alarm{cause="a bad batch",monitor="golden questions"} 1.0' in metrics
    assert 'groundwork_drift_effect{monitor="golden questions"} -0.23' in metrics
    assert 'monitor="recall"' not in metrics


def test_pictures_are_shown_and_may_do_nothing(own: RunningApi):
    for name in ("drift", "unknown", "..%2F..%2Fadmin.key"):
        assert own.get(f"/v1/pictures/{name}").status == 404
    own.store.pictures.write("drift", "<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x89PNG", {"points": []})
    reply = own.get("/v1/pictures/drift")
    assert (reply.status, reply.headers["content-type"].partition(";")[0]) == (200, "image/svg+xml")
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
    assert reply.text.startswith("<svg")
    assert own.get("/v1/pictures/drift?form=png").headers["content-type"] == "image/png"
    assert own.get("/v1/pictures/drift?form=json").json == {"points": []}
    assert own.get("/v1/pictures/drift?form=gif").status == 400
