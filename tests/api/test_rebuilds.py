"""Rebuilds over HTTP: planned, started, watched, cancelled, held and overridden."""

import pytest

from api.cli import main
from evals.gate import Verdict
from tests.api.running import RunningApi

pytestmark = pytest.mark.thorough

FEWER = {"dimensions": 32, "reason": "half of the memory"}


@pytest.fixture
def filled(own: RunningApi) -> RunningApi:
    """With an ingester and two documents."""
    own.start_ingester().put("mine", "The great copper mine is in Falun.")
    own.put("ferry", "The ferry leaves at nine.")
    return own


def ended(api: RunningApi, number: int) -> dict[str, object]:
    api.until(lambda: api.get(f"/v1/rebuilds/{number}").json["state"] != "running")
    found: dict[str, object] = api.get(f"/v1/rebuilds/{number}").json
    return found


def test_another_model_is_made_beside_what_is_served_and_takes_over(filled):
    before = filled.get("/v1/releases/live").json
    reply = filled.post("/v1/rebuilds", FEWER)
    assert (reply.status, reply.json["state"], reply.json["recipe"]["dimensions"]) == (202, "running", 32)
    found = ended(filled, reply.json["id"])
    assert (found["state"], found["embedded"], found["reason"]) == ("done", 0, "half of the memory")
    filled.until(lambda: filled.post("/v1/search", {"query": "ferry"}).json["release"] == found["release"])
    assert filled.found("great copper mine")[0] == "mine"
    assert filled.found("great copper mine", release=before["release"])[0] == "mine"


def test_going_back_over_it_is_asked_with_the_model_of_then(filled):
    before = filled.get("/v1/releases/live").json["release"]
    ended(filled, filled.post("/v1/rebuilds", FEWER).json["id"])
    assert filled.post("/v1/rollback", {"to": before}).status == 200
    reply = filled.post("/v1/search", {"query": "copper", "mode": "vector"}).json
    assert (reply["release"], reply["hits"][0]["doc_id"]) == (before, "mine")


def test_a_plan_says_what_it_would_take_and_changes_nothing(filled):
    reply = filled.post("/v1/rebuilds", FEWER | {"dry_run": True})
    assert reply.status == 200
    assert {name: reply.json[name] for name in ("documents", "chunks_now", "chunks", "embed", "measured", "cost")} == {
        "documents": 2, "chunks_now": 2, "chunks": 2, "embed": 0, "measured": 2, "cost": None
    }  # fmt: skip
    assert reply.json["disk_bytes"] > 0
    other = filled.post("/v1/rebuilds", {"embedder": "other", "dry_run": True}).json
    assert other["embed"] == 2
    assert filled.get("/v1/rebuilds").json["items"] == []


def test_what_the_gate_holds_can_be_looked_at_and_overridden_with_a_reason(filled):
    filled.gate.verdict = Verdict.INCONCLUSIVE
    found = ended(filled, filled.post("/v1/rebuilds", FEWER).json["id"])
    assert found["state"] == "held"
    candidate = found["release"]
    assert filled.get(f"/v1/releases/{candidate}").json["status"] == "held"
    assert filled.found("copper", release=candidate)[0] == "mine"
    without = filled.post(f"/v1/releases/{candidate}/promote", {})
    assert (without.status, "give a 'reason'" in without.detail) == (400, True)
    assert filled.post(f"/v1/releases/{candidate}/promote", {"reason": "we have looked at it"}).json["live"] == candidate
    again = filled.get("/v1/rebuilds").json["items"][0]
    assert ended(filled, again["id"])["state"] == "done"
    assert filled.post("/v1/resume").json["live"] > candidate
    deeds = [(deed["what"], deed["reason"]) for deed in filled.get("/v1/audit").json["items"]]
    assert ("promoted", "we have looked at it") in deeds


def test_one_at_a_time_and_it_can_be_cancelled(own):
    own.start_ingester().put("mine", "The great copper mine is in Falun.")
    own.stop_ingester()
    number = own.post("/v1/rebuilds", FEWER).json["id"]
    second = own.post("/v1/rebuilds", {"dimensions": 16})
    assert (second.status, f"rebuild {number} is under way" in second.detail) == (409, True)
    assert own.call("DELETE", f"/v1/rebuilds/{number}").json["state"] == "cancelled"
    assert own.call("DELETE", f"/v1/rebuilds/{number}").status == 409
    assert own.post("/v1/rebuilds", {"dimensions": 16}).status == 202


def test_the_audit_says_who_did_what_and_when(filled):
    made = filled.post("/v1/keys", {"role": "reader", "name": "for a test"}).json
    filled.call("DELETE", f"/v1/keys/{made['id']}")
    filled.post("/v1/rollback", {"to": 1, "reason": "to see"})
    admin = filled.get("/v1/keys").json["items"][0]["id"]
    back, revoked, created = filled.get("/v1/audit").json["items"][:3]
    assert (back["by"], back["what"], back["reason"], back["was"], back["live"]) == (admin, "rolled back", "to see", 3, 1)
    assert (revoked["what"], revoked["detail"]) == ("revoked a key", {"id": made["id"]})
    assert (created["what"], created["detail"]["role"], made["key"] in str(created)) == ("made a key", "reader", False)
    page = filled.get("/v1/audit?limit=1").json
    assert filled.get(f"/v1/audit?limit=1&cursor={page['next']}").json["items"] == [revoked]


def test_a_candidate_is_asked_real_searches_too_and_what_differs_is_told(filled):
    filled.gate.verdict = Verdict.HOLD
    candidate = ended(filled, filled.post("/v1/rebuilds", FEWER).json["id"])["release"]
    path = f"/v1/releases/{candidate}/shadow"
    assert filled.get(path).json["searches"] == 0
    filled.until(lambda: bool(filled.found("the great copper mine")) and filled.get(path).json["searches"] > 0)
    told = filled.get(path).json
    assert (told["overlap"], told["same_first"], told["candidate_ms"] > 0) == (1.0, 1.0, True)


def test_the_command_line_plans_starts_and_lists(filled, monkeypatch, capsys):
    monkeypatch.setenv("GROUNDWORK_URL", f"http://127.0.0.1:{filled.port}")
    monkeypatch.setenv("GROUNDWORK_KEY", filled.admin)
    assert main(["rebuild", "--dimensions", "32", "--dry-run"]) == 0
    assert "chunks now" in capsys.readouterr().out
    assert main(["rebuild", "--dimensions", "32", "--reason", "smaller"]) == 0
    assert "done" in capsys.readouterr().out
    assert main(["rebuild", "list"]) == 0
    assert "32 dimensions" in capsys.readouterr().out
    assert main(["audit"]) == 0
    assert {"smaller", "rebuild"} <= set(capsys.readouterr().out.split())
    assert main(["rebuild", "cancel", "1"]) == 1
