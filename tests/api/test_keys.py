"""Keys: made once, kept as hashes, limited to what their filter lets them read."""

import json
import os
import stat
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from api.cli import main
from api.keys import Keys, ensure_admin
from index.settings import Settings
from index.store import open_store


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


@pytest.mark.thorough
def test_a_revoked_key_is_refused_at_once(api):
    made = api.post("/v1/keys", {"role": "reader"}).json
    assert api.get("/v1/releases", made["key"]).status == 200
    assert api.call("DELETE", f"/v1/keys/{made['id']}").status == 204
    assert api.get("/v1/releases", made["key"]).status == 401
    assert made["id"] not in [item["id"] for item in api.get("/v1/keys").json["items"]]


def test_keys_come_in_pages_oldest_first_whatever_is_revoked_meanwhile(own):
    made = [own.post("/v1/keys", {"name": name}).json["id"] for name in ("a", "b", "c")]
    first = own.get("/v1/keys?limit=2").json
    assert [item["name"] for item in first["items"]] == ["first admin", "a"]
    own.call("DELETE", f"/v1/keys/{made[0]}")
    second = own.get(f"/v1/keys?limit=2&cursor={first['next']}").json
    assert ([item["name"] for item in second["items"]], second["next"]) == (["b", "c"], None)
    assert len(own.get("/v1/keys").json["items"]) == 3
    for bad in ("eA==", "MjAyNi0wMS0wMVQwMDowMDowMCB4"):  # x, and a time without a zone
        assert own.get(f"/v1/keys?cursor={bad}").status == 400


def test_the_last_admin_key_stays(own):
    writer = own.post("/v1/keys", {"role": "writer"}).json["id"]
    [admin] = [item["id"] for item in own.get("/v1/keys").json["items"] if item["role"] == "admin"]
    assert own.call("DELETE", f"/v1/keys/{admin}").status == 409
    own.post("/v1/keys", {"role": "admin"})
    assert own.call("DELETE", f"/v1/keys/{writer}").status == 204
    assert own.call("DELETE", f"/v1/keys/{admin}").status == 204


def test_a_key_is_good_until_it_expires(api):
    expires = datetime.now(UTC) + timedelta(seconds=1)
    made = api.post("/v1/keys", {"role": "reader", "expires_at": expires.isoformat()}).json
    assert datetime.fromisoformat(made["expires_at"]) == expires
    assert api.get("/v1/releases", made["key"]).status == 200
    api.until(lambda: datetime.now(UTC) > expires)
    assert api.get("/v1/releases", made["key"]).status == 401


@pytest.mark.parametrize("past", ["2026-01-02T12:00:00Z", "2026-01-02T12:00:00", "0001-01-01T00:00:00+14:00"])
def test_a_key_that_would_have_expired_before_it_is_used_is_not_made(own, past):
    refused = own.post("/v1/keys", {"role": "reader", "expires_at": past})
    assert (refused.status, refused.detail.startswith("expires_at is in the past")) == (400, True)
    [admin] = own.get("/v1/keys").json["items"]
    assert own.post(f"/v1/keys/{admin['id']}/rotate", {"expires_at": past}).status == 400
    assert own.get("/v1/keys").json["items"] == [admin]


def test_a_time_without_a_zone_is_utc(api):
    made = api.post("/v1/keys", {"role": "reader", "expires_at": "2999-01-02T12:00:00"}).json
    assert made["expires_at"] == "2999-01-02T12:00:00Z"


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


def test_a_writer_is_told_what_became_of_a_write_within_its_filter(api, teams):
    put = api.put("teams/ochre", "Ochre.", key=teams["writer"], metadata={"team": "red"})
    assert (put.status, put.json["state"]) == (200, "indexed")
    deleted = api.delete("teams/ochre", key=teams["writer"])
    assert (deleted.status, deleted.json["state"]) == (200, "deleted")


def test_a_writer_puts_nothing_outside_of_its_filter(api, teams):
    for metadata in ({}, {"team": "blue"}):
        refused = api.put("teams/mixed", "Ochre.", key=teams["writer"], metadata=metadata)
        assert (refused.status, "filter of your key" in refused.detail) == (403, True)
    lines = b'{"doc_id": "teams/r", "text": "R", "metadata": {"team": "red"}}\n{"doc_id": "teams/b", "text": "B"}\n'
    refused = api.post("/v1/documents", content=lines, key=teams["writer"])
    assert (refused.status, "'teams/b'" in refused.detail) == (403, True)
    file = {"file": ("teams-file.txt", b"No metadata at all.", "text/plain")}
    assert api.post("/v1/documents", files=file, key=teams["writer"]).status == 403
    for doc_id in ("teams/mixed", "teams/r", "teams/b", "teams-file.txt"):
        assert api.status(doc_id).status == 404


def test_a_writer_takes_over_no_document_outside_of_its_filter(api, teams):
    taken = api.put("teams/blue", "Now it is red.", key=teams["writer"], metadata={"team": "red"})
    assert (taken.status, "belong to documents outside" in taken.detail) == (403, True)
    assert api.post("/v1/documents/teams%2Fblue/replay", key=teams["writer"]).status == 404
    assert "azurite" in str(api.post("/v1/search", {"query": "secret ore azurite"}).json)


def test_a_writer_takes_over_no_document_that_still_waits(own):
    writer = own.key("writer", {"metadata.team": "red"})
    own.put("waiting", "It will be blue.", wait=0, metadata={"team": "blue"})
    assert own.put("waiting", "Red.", wait=0, key=writer, metadata={"team": "red"}).status == 403
    assert own.put("mine", "Red.", wait=0, key=writer, metadata={"team": "red"}).status == 202
    assert own.put("mine", "Redder.", wait=0, key=writer, metadata={"team": "red"}).status == 202


def test_a_duplicate_does_not_name_a_document_outside_of_the_filter(api, teams):
    said = "The duplicated sentence is about vermilion, and about nothing else."
    api.put("teams/original", said, metadata={"team": "blue"})
    put = api.put("teams/copy", said, key=teams["writer"], metadata={"team": "red"})
    assert (put.json["state"], put.json["duplicate_of"]) == ("duplicate", None)
    assert api.status("teams/copy").json["duplicate_of"] == "teams/original"
    assert api.status("teams/copy", teams["reader"]).json["duplicate_of"] is None
    assert "teams/original" not in api.get("/v1/documents", teams["reader"]).text


def test_an_admin_key_has_no_filter(api):
    refused = api.post("/v1/keys", {"role": "admin", "filter": {"metadata.team": "red"}})
    assert (refused.status, "no filter" in refused.detail) == (400, True)


def test_a_rotated_key_has_a_new_secret_and_the_same_records(own):
    made = own.post("/v1/keys", {"role": "reader", "per_minute": 100}).json
    asked = own.start_ingester().post("/v1/answers", {"question": "Who?"}, made["key"]).json["id"]
    rotated = own.post(f"/v1/keys/{made['id']}/rotate").json
    assert (rotated["id"], rotated["per_minute"], rotated["old_until"]) == (made["id"], 100, None)
    assert own.get("/v1/releases", made["key"]).status == 401
    assert own.get(f"/v1/answers/{asked}", rotated["key"]).status == 200


def test_the_old_secret_is_good_for_the_time_of_grace_and_no_longer(own):
    key, first = own.keys.create("reader")
    second = own.post(f"/v1/keys/{key.id}/rotate", {"grace_seconds": 3600}).json["key"]
    assert [own.get("/v1/releases", secret).status for secret in (first, second)] == [200, 200]
    third = own.post(f"/v1/keys/{key.id}/rotate", {"grace_seconds": 0.2}).json["key"]
    assert own.get("/v1/releases", first).status == 401
    own.until(lambda: own.get("/v1/releases", second).status == 401)
    assert own.get("/v1/releases", third).status == 200


def test_rotating_the_key_of_the_admin_keys_file_renews_the_file(own):
    [admin] = own.get("/v1/keys").json["items"]
    rotated = own.post(f"/v1/keys/{admin['id']}/rotate").json["key"]
    assert own.settings.admin_key_file.read_text().strip() == rotated
    assert stat.S_IMODE(own.settings.admin_key_file.stat().st_mode) == 0o600


def test_a_rotation_may_move_the_expiry(api):
    made, secret = api.keys.create("reader", expires_at=datetime(2026, 1, 2, tzinfo=UTC))
    assert api.get("/v1/releases", secret).status == 401
    rotated = api.post(f"/v1/keys/{made.id}/rotate", {"expires_at": "2999-01-01T00:00:00Z"}).json
    assert api.get("/v1/releases", rotated["key"]).status == 200


def test_an_expired_secret_has_no_time_of_grace(api):
    made, secret = api.keys.create("reader", expires_at=datetime(2026, 1, 2, tzinfo=UTC))
    asked = {"expires_at": "2999-01-01T00:00:00Z", "grace_seconds": 3600}
    rotated = api.post(f"/v1/keys/{made.id}/rotate", asked).json
    assert (api.get("/v1/releases", rotated["key"]).status, rotated["old_until"]) == (200, None)
    assert api.get("/v1/releases", secret).status == 401


def test_the_time_of_grace_of_a_secret_ends_with_its_own_expiry(api):
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=5)
    made, secret = api.keys.create("reader", expires_at=soon)
    rotated, _ = api.keys.rotate(made.id, timedelta(hours=1), datetime(2999, 1, 1, tzinfo=UTC))
    assert rotated.old_until == soon
    assert api.get("/v1/releases", secret).status == 200


def test_an_expired_key_is_not_rotated_into_one_that_has_expired(api):
    made, _ = api.keys.create("reader", expires_at=datetime(2026, 1, 2, tzinfo=UTC))
    refused = api.post(f"/v1/keys/{made.id}/rotate")
    assert (refused.status, "give `expires_at`" in refused.detail) == (409, True)


def test_who_made_rotated_and_revoked_a_key_stands_in_the_audit_without_secrets(own):
    [admin] = own.get("/v1/keys").json["items"]
    made = own.post("/v1/keys", {"role": "reader", "per_minute": 7}).json
    rotated = own.post(f"/v1/keys/{made['id']}/rotate", {"grace_seconds": 60}).json
    own.call("DELETE", f"/v1/keys/{made['id']}")
    audit = own.get("/v1/audit")
    told = [(deed["what"], deed["by"], deed["detail"]["id"]) for deed in audit.json["items"]]
    assert told == [(what, admin["id"], made["id"]) for what in ("revoked a key", "rotated a key", "made a key")]
    assert not any(secret in audit.text for secret in (made["key"], rotated["key"], own.admin))


CREATE_MANY = """
import sys
from pathlib import Path
from api.keys import Keys
keys = Keys(Path(sys.argv[1]))
for number in range(40):
    made, secret = keys.create("reader", sys.argv[2])
    assert keys.find(secret)
    if number % 2:
        keys.revoke(made.id)
"""


def test_two_processes_that_make_and_revoke_keys_lose_none(tmp_path):
    keys = Keys(tmp_path / "keys.json")
    keys.create("admin", "first")
    writers = [subprocess.Popen([sys.executable, "-c", CREATE_MANY, str(tmp_path / "keys.json"), name]) for name in ("left", "right")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert Counter(key.name for key in keys.all()) == {"first": 1, "left": 20, "right": 20}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["keys.json", "keys.lock"]


def test_changes_within_one_tick_of_the_clock_are_seen(tmp_path):
    """The file has the same size and the same time as before, as on a file system with coarse times."""
    here, there = Keys(tmp_path / "keys.json"), Keys(tmp_path / "keys.json")
    there.create("admin")
    key, secret = there.create("reader")
    for _ in range(20):
        assert here.find(secret)
        before = (tmp_path / "keys.json").stat().st_mtime_ns
        was, (key, secret) = secret, there.rotate(key.id, timedelta(0))
        os.utime(tmp_path / "keys.json", ns=(before, before))
        assert here.find(was) is None


def test_a_file_of_keys_that_is_gone_or_damaged_lets_nobody_in(own):
    file = own.home / "keys.json"
    whole = file.read_text()
    file.write_text(whole[:-10])
    assert (own.get("/v1/releases").status, own.get("/health/live", None).status) == (503, 200)
    file.unlink()
    assert own.get("/v1/releases").status == 401
    file.write_text(whole)
    assert own.get("/v1/releases").status == 200


def test_a_key_of_an_older_version_of_the_file_is_good(tmp_path):
    keys = Keys(tmp_path / "keys.json")
    _, secret = keys.create("admin")
    rows = json.loads((tmp_path / "keys.json").read_text())
    old = ("id", "role", "name", "digest", "created_at", "expires_at", "filter")
    (tmp_path / "keys.json").write_text(json.dumps([{name: row[name] for name in old} for row in rows]))
    assert Keys(tmp_path / "keys.json").find(secret)


def test_a_key_is_made_offline_where_no_server_runs(tmp_path, capsys):
    """Nor needs there be a key already, as there is none before the first start."""
    settings = Settings(home=tmp_path)
    typed = ["keys", "create", "--offline", "--role", "admin", "--name", "first", "--json"]
    assert main(typed, settings) == 0
    made = json.loads(capsys.readouterr().out)
    [stored] = Keys(settings.keys_file).all()
    assert (stored.id, stored.role, stored.name, made["key"][:3]) == (made["id"], "admin", "first", "gw_")
    [event] = [event for event in open_store(settings.index, tmp_path).log.events if event.kind == "key_made"]
    assert (event.by, event.detail["id"]) == ("offline", made["id"])
    assert main(["keys", "create", "--offline", "--filter", '{"author": 1}'], settings) == 2
    assert main(["keys", "create", "--offline", "--expires-days", "-1"], settings) == 2
