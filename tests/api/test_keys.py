"""Keys: made once, kept as hashes, limited to what their filter lets them read."""

import json
import stat
from datetime import UTC, datetime, timedelta

import pytest

from api.keys import Keys, ensure_admin


def test_the_first_start_writes_an_admin_key_that_only_its_owner_can_read(own):
    file = own.settings.admin_key_file
    assert (file, stat.S_IMODE(file.stat().st_mode)) == (own.home / "admin.key", 0o600)
    assert stat.S_IMODE((own.home / "keys.json").stat().st_mode) == 0o600
    assert own.get("/v1/keys", own.admin).json["items"][0]["role"] == "admin"


def test_a_second_start_makes_no_second_key(own):
    ensure_admin(own.keys, own.settings.admin_key_file)
    assert len(own.keys.all()) == 1
    assert own.settings.admin_key_file.read_text().strip() == own.admin


def test_secrets_are_shown_once_and_stored_as_hashes_only(own):
    made = own.post("/v1/keys", {"role": "writer", "name": "importer"})
    secret = made.json["key"]
    assert (made.status, made.json["role"], made.json["name"]) == (201, "writer", "importer")
    listed = own.get("/v1/keys")
    stored = (own.home / "keys.json").read_text()
    for shown in (listed.text, stored):
        assert secret not in shown
        assert own.admin not in shown
    assert [item["name"] for item in listed.json["items"]] == ["first admin", "importer"]
    assert {"key", "digest"}.isdisjoint(listed.json["items"][1])
    assert own.post("/v1/documents", content=b"", key=secret).status == 400


def test_a_revoked_key_is_refused_at_once(api):
    made = api.post("/v1/keys", {"role": "reader"}).json
    assert api.get("/v1/releases", made["key"]).status == 200
    assert api.call("DELETE", f"/v1/keys/{made['id']}").status == 204
    assert api.get("/v1/releases", made["key"]).status == 401
    assert made["id"] not in [item["id"] for item in api.get("/v1/keys").json["items"]]


def test_the_last_admin_key_stays(own):
    writer = own.post("/v1/keys", {"role": "writer"}).json["id"]
    [admin] = [item["id"] for item in own.get("/v1/keys").json["items"] if item["role"] == "admin"]
    assert own.call("DELETE", f"/v1/keys/{admin}").status == 409
    own.post("/v1/keys", {"role": "admin"})
    assert own.call("DELETE", f"/v1/keys/{writer}").status == 204
    assert own.call("DELETE", f"/v1/keys/{admin}").status == 204


@pytest.mark.parametrize(("hours", "status"), [(1, 200), (-1, 401)])
def test_a_key_is_good_until_it_expires(api, hours, status):
    expires = datetime.now(UTC) + timedelta(hours=hours)
    made = api.post("/v1/keys", {"role": "reader", "expires_at": expires.isoformat()}).json
    assert datetime.fromisoformat(made["expires_at"]) == expires
    assert api.get("/v1/releases", made["key"]).status == status


def test_a_time_without_a_zone_is_utc(api):
    made = api.post("/v1/keys", {"role": "reader", "expires_at": "2026-01-02T12:00:00"}).json
    assert made["expires_at"] == "2026-01-02T12:00:00Z"


def test_a_key_that_another_process_has_made_works_at_once(api):
    _, secret = Keys(api.home / "keys.json").create("reader")
    assert api.get("/v1/releases", secret).status == 200


@pytest.fixture(scope="module")
def teams(api):
    """One document of each team, and a reader and a writer of team red."""
    api.put("teams/red", "The secret ore is red hematite.", metadata={"team": "red"})
    api.put("teams/blue", "The secret ore is blue azurite.", metadata={"team": "blue"})
    red = {"metadata.team": "red"}
    return {"reader": api.key("reader", red), "writer": api.key("writer", red)}


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
def test_the_filter_of_a_key_is_applied_to_each_search(api, teams, mode):
    assert api.found("secret ore azurite", teams["reader"], mode=mode, k=50) == ["teams/red"]
    assert api.found("secret ore azurite", teams["reader"], mode=mode, filter={"metadata.team": "blue"}) == []


def test_the_filter_of_a_key_is_applied_to_answers(api, teams):
    question = {"question": "Which secret ore is blue azurite?"}
    assert "azurite" in api.post("/v1/answers", question).json["answer"]
    assert "azurite" not in json.dumps(api.post("/v1/answers", question, teams["reader"]).json)


def test_the_filter_of_a_key_is_applied_to_documents(api, teams):
    assert api.status("teams/red", teams["reader"]).status == 200
    assert api.status("teams/blue", teams["reader"]).status == 404
    assert [item["doc_id"] for item in api.get("/v1/documents", teams["reader"]).json["items"]] == ["teams/red"]
    assert api.delete("teams/blue", key=teams["writer"]).status == 404
    assert api.status("teams/blue").json["state"] == "indexed"


def test_what_waits_is_hidden_from_a_key_with_a_filter(own):
    own.put("waiting", "Not yet seen.", wait=0)
    limited = own.key("reader", {"metadata.team": "red"})
    assert own.status("waiting").json["state"] == "accepted"
    assert own.status("waiting", limited).status == 404
    assert own.get("/v1/documents", limited).json["items"] == []


def test_a_writer_is_told_what_became_of_a_write_whatever_its_filter(api, teams):
    put = api.put("teams/mixed", "Ochre.", key=teams["writer"], metadata={"team": "blue"})
    assert (put.status, put.json["state"]) == (200, "indexed")
    api.put("teams/leaving", "Rust.", metadata={"team": "red"})
    deleted = api.delete("teams/leaving", key=teams["writer"])
    assert (deleted.status, deleted.json["state"]) == (200, "deleted")
