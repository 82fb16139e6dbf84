"""What a search takes over HTTP besides a question: cursors, neighbours, one hit per document, reasons, reranking."""

import pytest

from api.rerankers import RerankerInBackground
from index.errors import Misconfigured, Unavailable
from tests.fakes import WordReranker

ASKED = {"query": "stones of the beach", "k": 2}


@pytest.fixture(scope="module", autouse=True)
def documents(api):
    for n in range(6):
        api.put(f"stone{n}", f"Stone number {n} lies on the beach.", metadata={"colour": "grey" if n % 2 else "red", "n": n})


def asked(api, key="", **more):
    reply = api.post("/v1/search", ASKED | {"filter": {"metadata.n": {"gte": 0}}} | more, key)
    assert reply.status == 200, reply
    return reply.json


@pytest.mark.thorough
def test_a_cursor_leads_from_page_to_page(api):
    ids, cursor = [], None
    for _ in range(3):
        page = asked(api, cursor=cursor)
        ids += [hit["doc_id"] for hit in page["hits"]]
        cursor = page["next"]
    assert sorted(ids) == [f"stone{n}" for n in range(6)]
    assert cursor is None


@pytest.mark.parametrize(
    "other",
    [
        {"query": "sand"},
        {"filter": {"metadata.n": {"gte": 1}}},
        {"mode": "text"},
        {"one_per_document": True},
        {"exact": True},
        {"release": 1},
    ],
)
def test_a_cursor_of_another_question_is_refused(api, other):
    reply = api.post("/v1/search", ASKED | {"filter": {"metadata.n": {"gte": 0}}, "cursor": asked(api)["next"]} | other)
    assert reply.status == 400
    assert "cursor is" in reply.detail


def test_a_cursor_that_was_changed_or_is_of_another_key_is_refused(api):
    cursor = asked(api)["next"]
    changed = cursor[:-6] + ("A" if cursor[-6] != "A" else "B") + cursor[-5:]
    for wrong in (changed, "x", "", "AAAA", "é" * 20, cursor + cursor):
        reply = api.post("/v1/search", ASKED | {"filter": {"metadata.n": {"gte": 0}}, "cursor": wrong or "-"})
        assert reply.status == 400
    bound = api.key("reader", {"metadata.colour": "red"})
    assert api.post("/v1/search", ASKED | {"filter": {"metadata.n": {"gte": 0}}, "cursor": cursor}, bound).status == 400


def test_a_key_pages_through_what_its_filter_lets_it_see(api):
    bound = api.key("reader", {"metadata.colour": "red"})
    first = asked(api, bound)
    second = asked(api, bound, cursor=first["next"])
    assert sorted(hit["doc_id"] for hit in (*first["hits"], *second["hits"])) == ["stone0", "stone2", "stone4"]


def test_neighbours_reasons_and_one_per_document_are_in_the_reply_when_asked_for(api):
    hit = asked(api, neighbours=1, one_per_document=True)["hits"][0]
    assert (hit["before"], hit["after"]) == ([], [])
    reply = asked(api, explain=True)
    assert reply["explain"]["filter"] == "metadata.n is at least 0"
    assert set(reply["hits"][0]["explain"]) >= {"similarity", "vector_rank", "bm25", "text_rank", "fused", "rerank"}
    plain = asked(api)
    assert plain["explain"] is plain["hits"][0]["explain"] is plain["hits"][0]["before"] is None


def test_rerank_without_a_reranker_says_how_to_get_one(api):
    reply = api.post("/v1/search", ASKED | {"rerank": True})
    assert reply.status == 400
    assert "name a crossencoder as `reranker` in the file of groundwork_serving" in reply.detail


def test_a_reranker_is_used_once_it_is_there(api, monkeypatch):
    loaded = RerankerInBackground(lambda: WordReranker("4"))
    monkeypatch.setattr(api.platform, "reranker", loaded)
    assert asked(api, rerank=6)["degraded"] == ["the reranker is still loading: the hits are not reranked"]
    loaded.start()
    api.until(lambda: loaded.get() is not None)
    reply = asked(api, rerank=6)
    assert reply["hits"][0]["doc_id"] == "stone4"
    assert reply["degraded"] == []


def test_a_reranker_that_can_not_be_loaded_is_unavailable(api, monkeypatch):
    def lost():
        raise Misconfigured("no such model")

    broken = RerankerInBackground(lost)
    broken.start()
    monkeypatch.setattr(api.platform, "reranker", broken)
    api.until(lambda: api.post("/v1/search", ASKED | {"rerank": True}).status == 503)
    assert "retry-after" in api.post("/v1/search", ASKED | {"rerank": True}).headers
    assert api.get("/health").json["parts"]["reranker"]["reason"] == "it can't be loaded"


def test_while_the_model_loads_words_are_searched_and_a_search_by_vector_waits(api, monkeypatch):
    def loading(_release):
        raise Unavailable("the embedding model is still loading", retry_after_s=5)

    monkeypatch.setattr(api.platform.models, "of", loading)
    reply = asked(api, query="a stone that nobody asked for before")  # what was found before is remembered
    assert len(reply["hits"]) == 2
    assert reply["degraded"] == ["the embedding model is still loading: only words were searched"]
    assert asked(api, mode="text")["degraded"] == []
    by_vector = api.post("/v1/search", ASKED | {"mode": "vector"})
    assert (by_vector.status, by_vector.headers["retry-after"]) == (503, "5")


def test_who_writes_reads_it_with_min_release(api):
    made = api.put("pebble", "A pebble is a small stone.").json["release"]
    assert api.found("pebble", min_release=made)[0] == "pebble"
    reply = api.post("/v1/search", {"query": "pebble", "min_release": made + 1_000})
    assert reply.status == 409
    assert "older than min_release" in reply.detail
    assert "try again shortly" in reply.detail


@pytest.mark.thorough
def test_while_a_release_is_pinned_min_release_says_that_somebody_has_to_resume(own):
    own.start_ingester()
    first = own.put("pebble", "A pebble is a small stone.").json["release"]
    second = own.put("rock", "A rock is a large stone.").json["release"]
    own.post("/v1/rollback", {"to": first, "reason": "to see"})
    own.until(lambda: own.get("/v1/releases/live").json["release"] == first)
    reply = own.post("/v1/search", {"query": "rock", "min_release": second})
    assert reply.status == 409
    assert f"release {first} is pinned, older than min_release {second}: nothing newer is served until somebody resumes" in reply.detail
    assert own.found("rock", release=second, min_release=second)[0] == "rock"
