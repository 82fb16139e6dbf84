"""Health and metrics."""

import json
import shutil

import pytest

from api.models import Models
from api.parts_health import PartReply, disk, language_model, overall
from api.platform import Platform
from index.errors import BadRequest, Misconfigured
from index.recipe import Recipe
from index.settings import Settings


def test_alive_needs_nothing(own):
    assert (own.get("/health/live", key=None).status, own.get("/health/live", key=None).json) == (200, {"status": "alive"})


def test_load_balancers_that_ask_for_the_head_alone_get_the_same_status(own):
    heads = [own.call("HEAD", path, key=None) for path in ("/health/live", "/health/ready")]
    assert [(head.status, head.text) for head in heads] == [(200, ""), (503, "")]
    assert heads[1].headers["retry-after"] == "2"
    own.start_ingester()
    ready = own.call("HEAD", "/health/ready", key=None)
    assert (ready.status, ready.text) == (200, "")


@pytest.mark.parametrize(
    ("given", "missing"), [({"llm_url": "http://localhost/v1"}, "GROUNDWORK_LLM_MODEL"), ({"llm_model": "small"}, "GROUNDWORK_LLM_URL")]
)
def test_half_of_what_a_language_model_needs_is_told(given, missing):
    assert language_model(Settings(**given)) == PartReply("degraded", f"{missing} is not set", "set it; answers are extractive until then")
    assert language_model(Settings()) == PartReply("ok")


@pytest.mark.thorough
def test_ready_names_the_part_that_is_not_until_a_search_works(own):
    before = own.get("/health/ready", key=None)
    assert (before.status, before.headers["retry-after"]) == (503, "2")
    assert before.detail.startswith("index: no release yet")
    own.put("waiting", "A first document.", wait=0)
    own.start_ingester()
    own.until(lambda: own.status("waiting").json["served"])
    ready = own.get("/health/ready", key=None)
    assert (ready.status, ready.json["status"], ready.json["release"]) == (200, "ready", 2)
    assert set(ready.json["parts"].values()) == {"ok"}


@pytest.mark.thorough
def test_while_the_sample_is_indexed_ready_tells_how_far_it_is(own):
    own.settings.first_start_file.touch()
    assert own.get("/health/ready").json["progress"] == {"done": 0, "of": 0}
    own.settings.first_start_file.write_text(json.dumps({"documents": 3}))
    own.put("one of three", "A first document.", wait=0)
    assert own.get("/health/ready").json["progress"] == {"done": 0, "of": 3}
    own.start_ingester_unready()
    own.until(lambda: own.status("one of three").json["served"])
    indexing = own.get("/health/ready")
    assert indexing.json["progress"] == {"done": 1, "of": 3}
    assert indexing.json["parts"]["search"] == "not looked at until sample is ok"
    assert (indexing.status, indexing.json["detail"]) == (503, "sample: it is being indexed for the first time")
    own.settings.first_start_file.unlink()
    assert own.get("/health/ready").status == 200


def test_an_index_whose_files_are_gone_is_not_ready_and_says_which_part(own):
    own.start_ingester().put("lost", "A document.")
    assert own.found("document") == ["lost"]
    own.stop_ingester()
    [table] = own.store.folder.glob("chunks_*")
    shutil.rmtree(table)
    reply = own.get("/health/ready")
    assert (reply.status, reply.detail.startswith("search: it failed")) == (503, True)
    assert str(own.home) not in reply.text
    assert own.post("/v1/search", {"query": "a document that is lost"}).status == 503


def test_a_model_that_can_not_be_loaded_is_named(own, caplog):
    def load(_: Recipe):
        raise Misconfigured("GROUNDWORK_EMBEDDER=lost can't be loaded")

    models = Models(load, Recipe())
    platform = Platform(own.settings, own.store, models)
    platform.start()
    own.until(lambda: "GROUNDWORK_EMBEDDER=lost" in caplog.text)
    with pytest.raises(BadRequest, match="GROUNDWORK_EMBEDDER=lost can't be loaded"):
        models.tried(Recipe())
    platform.stop()


def test_metrics_are_text_that_prometheus_takes(api):
    live = api.get("/v1/releases/live").json
    reply = api.get("/metrics", key=None)
    assert reply.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8"
    samples = dict(line.rsplit(" ", 1) for line in reply.text.splitlines() if not line.startswith("#"))
    assert (float(samples["groundwork_live_release"]), float(samples["groundwork_live_rows"])) == (live["release"], live["rows"])
    assert float(samples["groundwork_inbox_documents"]) >= 0
    assert float(samples["groundwork_pinned"]) == 0
    requests = [name for name in samples if name.startswith("groundwork_requests_total{")]
    assert any('path="/v1/releases/live"' in name and 'status_code="200"' in name for name in requests)


def test_paths_with_ids_do_not_each_get_a_metric(api):
    api.status("one id of many")
    text = api.get("/metrics").text
    assert "one id" not in text
    assert "one%20id" not in text


def test_health_names_each_part_and_is_open_to_everybody(own):
    reply = own.start_ingester().get("/health", key=None)
    parts = reply.json["parts"]
    well = ("index", "model", "search", "ingester", "pools", "language_model", "reranker")
    assert (reply.status, [parts[name]["state"] for name in well]) == (200, ["ok"] * len(well))
    assert set(parts) == {*well, "quarantine", "disk", "prefect"}


def test_health_is_503_only_where_nothing_can_be_served_and_tells_no_paths(own):
    down = own.get("/health", key=None)
    assert (down.status, down.json["status"], down.json["parts"]["index"]["state"]) == (503, "down", "down")
    assert down.json["parts"]["index"]["reason"].startswith("no release yet")
    assert str(own.home) not in down.text


def test_health_and_ready_say_the_same_of_what_serves(own):
    """Before the first release nothing is known of model and search: neither says that they work."""
    for start in (lambda: None, own.start_ingester):
        start()
        parts, ready = own.get("/health").json["parts"], own.get("/health/ready").json["parts"]
        assert {name: parts[name]["reason"] or parts[name]["state"] for name in ("index", "model", "search")} == {
            name: ready[name] for name in ("index", "model", "search")
        }
        assert {parts[name]["state"] for name in ("index", "model", "search")} in ({"down"}, {"ok"})


def test_a_part_that_is_down_because_of_another_says_which_to_see_to(own):
    parts = own.get("/health").json["parts"]
    assert parts["index"]["do"] == "see whether the ingester runs and the storage answers"
    for name in ("model", "search"):
        assert (parts[name]["reason"], parts[name]["do"]) == ("not looked at until index is ok", "see to index first")


def test_a_prefect_that_is_gone_makes_the_platform_degraded_and_nobody_waits_for_it(own):
    own.start_ingester()
    own.until(lambda: own.get("/health").json["parts"]["prefect"]["state"] == "degraded")
    reply = own.get("/health")
    assert (reply.status, reply.json["status"]) == (200, "degraded")


@pytest.mark.parametrize(("free", "state"), [(10 << 30, "ok"), (1 << 30, "degraded"), (100 << 20, "down")])
def test_a_disk_that_fills_up_is_told_before_it_is_full(free, state):
    assert disk(free).state == state


def test_only_a_part_that_serves_can_take_the_platform_down():
    assert overall({"index": PartReply("ok"), "disk": PartReply("down")}).status == "degraded"
    assert overall({"index": PartReply("down"), "disk": PartReply("ok")}).status == "down"
