"""Releases over HTTP: list, go back, go forth."""

import shutil
from typing import Any

import pytest

from tests.api.running import RunningApi


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Release 1 is empty, 2 has document a, 3 also b, and 4 also c."""
    home = tmp_path_factory.mktemp("three")
    with RunningApi(home) as running:
        running.start_ingester()
        for doc_id in "abc":
            running.put(doc_id, f"Ore {doc_id}.")
    return home


@pytest.fixture
def three(home, tmp_path):
    """A copy of its own of that index; nobody ingests until the test says so."""
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    with RunningApi(tmp_path) as running:
        running.until(lambda: running.get("/health/ready").status == 200)
        yield running


def live(api: RunningApi) -> dict[str, Any]:
    return {name: api.get("/v1/releases/live").json[name] for name in ("release", "pinned")}


@pytest.mark.thorough
def test_releases_are_listed_newest_first_and_say_what_they_are(three):
    listed = three.get("/v1/releases").json["items"]
    assert [(item["release"], item["rows"], item["status"], item["live"]) for item in listed] == [
        (4, 3, "checked", True),
        (3, 2, "checked", False),
        (2, 1, "checked", False),
        (1, 0, "checked", False),
    ]
    assert set(listed[0]) == {
        "release", "generation", "version", "rows", "created_at", "status", "live", "pinned", "checks", "scores", "search", "recipe", "debt"
    }  # fmt: skip
    assert three.get("/v1/releases/3").json == listed[1]
    assert three.get("/v1/releases/live").json == listed[0]


def test_pages_of_releases_hold_each_once(three):
    first = three.get("/v1/releases?limit=3").json
    second = three.get(f"/v1/releases?limit=3&cursor={first['next']}").json
    assert [item["release"] for item in first["items"] + second["items"]] == [4, 3, 2, 1]
    assert second["next"] is None


def test_a_rollback_is_served_at_once_and_pinned_until_somebody_resumes(three):
    back = three.post("/v1/rollback", {"to": 2, "reason": "c is wrong"})
    assert (back.status, back.json) == (200, {"live": 2, "was": 4, "held": 2, "pinned": True})
    assert three.found("ore") == ["a"]
    assert live(three) == {"release": 2, "pinned": True}
    assert three.status("c").json["served"] is False
    assert sorted(three.found("ore", release=4)) == ["a", "b", "c"]
    forth = three.post("/v1/resume", {"reason": "c is right"})
    assert (forth.status, forth.json) == (200, {"live": 4, "was": 2, "held": 0, "pinned": False})
    assert sorted(three.found("ore")) == ["a", "b", "c"]


@pytest.mark.thorough
def test_while_pinned_documents_go_in_unserved_and_a_put_does_not_wait_for_them(three):
    three.start_ingester().post("/v1/rollback", {"to": 4})
    reply = three.put("d", "Ore d.")
    assert reply.status == 200
    assert (reply.json["state"], reply.json["served"], reply.json["searchable_at"], reply.json["release"]) == ("indexed", False, None, 5)
    assert "d" not in three.found("ore")
    assert live(three) == {"release": 4, "pinned": True}
    three.post("/v1/resume")
    resumed = three.status("d").json
    assert (resumed["served"], resumed["searchable_at"] is not None) == (True, True)
    assert "d" in three.found("ore")


@pytest.mark.thorough
def test_a_deletion_while_pinned_is_applied_to_what_is_served(three):
    three.start_ingester().post("/v1/rollback", {"to": 4})
    assert three.delete("a").json["state"] == "deleted"
    assert sorted(three.found("ore")) == ["b", "c"]
    three.post("/v1/rollback", {"to": 2})
    assert three.found("ore") == []


def test_what_waits_counts_as_held(three):
    three.put("d", "Ore d.", wait=0)
    assert three.post("/v1/rollback", {"to": 3}).json["held"] == 2


def test_a_rollback_goes_to_the_newest_release_from_before_a_time(three):
    made = three.get("/v1/releases/3").json["created_at"]
    assert three.post("/v1/rollback", {"before": made}).json["live"] == 2


@pytest.mark.thorough
def test_a_rollback_to_nowhere_in_particular_goes_to_the_last_proven_release(three):
    three.store.log.append("proven", 2, by="test", detail={"scores": [{"metric": "nDCG@10", "value": 1.0}]})
    three.until(lambda: three.get("/v1/releases/2").json["status"] == "proven")
    assert three.get("/v1/releases/2").json["scores"] == [{"metric": "nDCG@10", "value": 1.0}]
    assert three.post("/v1/rollback", {}).json["live"] == 2


def test_without_a_proven_release_it_goes_to_the_one_before(three):
    assert three.post("/v1/rollback", {"reason": "one back"}).json["live"] == 3
    assert three.post("/v1/rollback", {"reason": "one more"}).json["live"] == 2


@pytest.mark.thorough
def test_promoting_an_older_release_pins_it_and_promoting_the_newest_follows_again(three):
    assert three.post("/v1/releases/2/promote", {"reason": "the best"}).json == {"live": 2, "was": 4, "held": 2, "pinned": True}
    assert three.post("/v1/releases/4/promote", {"reason": "the newest"}).json == {"live": 4, "was": 2, "held": 0, "pinned": False}
    assert three.start_ingester().put("d", "Ore d.").json["served"]


def test_a_held_release_can_be_promoted_all_the_same_and_who_did_it_is_kept(three):
    three.store.log.append("held", 3, by="test", reason="worse")
    three.until(lambda: three.get("/v1/releases/3").json["status"] == "held")
    assert three.post("/v1/releases/3/promote", {"reason": "I know"}).json["live"] == 3
    three.store.log.refresh()
    promotion = three.store.log.events[-1]
    assert (promotion.kind, promotion.reason, promotion.by) == ("promoted", "I know", three.keys.all()[0].id)


@pytest.mark.thorough
def test_a_reclaimed_release_can_be_read_about_but_not_served(three):
    three.store.log.append("reclaimed", 0, by="test", detail={"releases": [2]})
    three.until(lambda: three.get("/v1/releases/2").json["status"] == "reclaimed")
    for reply in (
        three.post("/v1/releases/2/promote", {"reason": "x"}),
        three.post("/v1/rollback", {"to": 2}),
        three.post("/v1/search", {"query": "ore", "release": 2}),
        three.post("/v1/answers", {"question": "ore", "release": 2}),
    ):
        assert (reply.status, "release 2 was reclaimed, by retention or by a purge" in reply.detail) == (409, True)
    assert live(three) == {"release": 4, "pinned": False}


def test_before_the_first_release_there_is_nothing_to_move(own):
    for reply in (own.get("/v1/releases/live"), own.post("/v1/resume"), own.post("/v1/search", {"query": "ore"})):
        assert (reply.status, "no release yet" in reply.detail) == (503, True)
        assert reply.headers["retry-after"] == "1"
    assert own.get("/v1/releases").json == {"items": [], "next": None}
    assert own.post("/v1/rollback", {}).status == 409


@pytest.mark.thorough
def test_a_rollback_with_requeue_takes_what_came_since_through_the_pipeline_again(three):
    back = three.post("/v1/rollback", {"to": 2, "reason": "b and c were read wrongly", "requeue": True})
    assert (back.status, back.json) == (200, {"live": 2, "was": 4, "held": 2, "pinned": True})
    assert three.get("/v1/releases/live").json["debt"] == {"documents": 2, "of": 2}
    three.start_ingester()
    three.until(lambda: three.get("/v1/releases/live").json["debt"] is None)
    assert three.found("ore") == ["a"]
    assert three.get("/v1/releases/5").json["checks"]["requeued"]["documents"] == 2
    three.post("/v1/resume")
    assert sorted(three.found("ore")) == ["a", "b", "c"]
