"""Searching over HTTP."""

from datetime import datetime

import pytest

RIVER = "The river Dalälven flows past Älvkarleby."


@pytest.fixture(scope="module", autouse=True)
def documents(api):
    """Two documents, one of them in two passages."""
    api.put("river", RIVER, title="Rivers", uri="https://rivers.example/1", metadata={"lang": "en", "length": 541, "salmon": True})
    api.put(
        "brook",
        "# Brooks\n\nA brook is a small river.\n\n# Lakes\n\nA lake is no brook.",
        media_type="text/markdown",
        metadata={"length": 3},
    )


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
def test_each_mode_finds_the_passage_and_shows_all_of_it(api, mode):
    reply = api.post("/v1/search", {"query": "Does the river Dalälven flow past Älvkarleby?", "k": 3, "mode": mode}).json
    hit = reply["hits"][0]
    assert {name: hit[name] for name in ("doc_id", "text", "title", "uri", "heading", "span", "metadata")} == {
        "doc_id": "river",
        "text": RIVER,
        "title": "Rivers",
        "uri": "https://rivers.example/1",
        "heading": [],
        "span": [0, len(RIVER)],
        "metadata": {"lang": "en", "length": 541, "salmon": True},
    }
    scores = [hit["score"] for hit in reply["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert len(hit["chunk_id"]) == 32


def test_a_reply_says_what_it_was_made_from(api):
    reply = api.post("/v1/search", {"query": "river"}).json
    live = api.get("/v1/releases/live").json
    assert (reply["release"], reply["as_of"], reply["degraded"]) == (live["release"], live["created_at"], [])
    assert set(reply["timings_ms"]) == {"embed", "search", "read", "total"}
    assert reply["timings_ms"]["embed"] + reply["timings_ms"]["search"] <= reply["timings_ms"]["total"] + 0.02
    assert datetime.fromisoformat(reply["as_of"]).tzinfo is not None


def test_the_heading_of_a_passage_is_shown(api):
    hits = api.post("/v1/search", {"query": "a lake is no brook", "filter": {"doc_id": "brook"}}).json["hits"]
    assert ["Lakes"] in [hit["heading"] for hit in hits] or ["Brooks"] in [hit["heading"] for hit in hits]


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        ({"doc_id": "river"}, ["river"]),
        ({"doc_id": {"in": ["river", "brook"]}}, ["brook", "river"]),
        ({"media_type": "text/markdown"}, ["brook"]),
        ({"source": "sweep"}, []),
        ({"uri": {"gte": "https://rivers", "lt": "https://rivers.example/2"}}, ["river"]),
        ({"metadata.length": {"gt": 3}}, ["river"]),
        ({"metadata.length": {"gte": 3, "lt": 541}}, ["brook"]),
        ({"metadata.salmon": True}, ["river"]),
        ({"metadata.lang": "en", "doc_id": "brook"}, []),
    ],
)
def test_a_filter_keeps_what_satisfies_all_of_it(api, filter_, found):
    only_ours = {"metadata.length": {"gt": 0}}
    assert sorted(api.found("river brook", filter=only_ours | filter_)) == found


NESTED = {"tags": ["mine", 7, None], "author": {"name": "Ann", "born": 1854}, "a.b": "key", "a": {"b": "object", "c": True}, "none": None}


@pytest.mark.thorough
def test_metadata_with_lists_and_objects_is_found_by_what_is_in_it_and_shown_as_it_was_given(api):
    api.put("nested", "The nested mine has lists.", metadata=NESTED)
    for filter_ in (
        {"metadata.tags": "mine"},
        {"metadata.tags": {"in": ["gold", 7]}},
        {"metadata.author.name": "Ann", "metadata.author.born": {"gte": 1800, "lt": 1900}},
        {"metadata.a.b": "key"},
        {"metadata.a.c": True},
    ):
        [hit] = api.post("/v1/search", {"query": "the nested mine", "filter": filter_}).json["hits"]
        assert hit["metadata"] == NESTED
    for filter_ in ({"metadata.tags": "gold"}, {"metadata.a.b": "object"}, {"metadata.tags": {"gte": "a"}}):
        assert api.found("the nested mine", filter=filter_) == []
    for unknown in ("metadata.author", "metadata.none", "metadata.author.age"):
        assert f"no document of this release has '{unknown}'" in api.post("/v1/search", {"query": "a", "filter": {unknown: "x"}}).detail
    reader = api.key("reader", {"metadata.tags": "mine"})
    assert api.found("mine", reader) == ["nested"]
    assert (api.status("nested", reader).status, api.status("river", reader).status) == (200, 404)
    answer = api.post("/v1/answers", {"question": "Which mine has lists?"}, reader).json
    assert [citation["doc_id"] for citation in answer["citations"]] == ["nested"]


def test_k_bounds_the_hits(api):
    assert len(api.post("/v1/search", {"query": "river", "k": 1}).json["hits"]) == 1


def test_a_named_release_is_searched_as_it_was(api):
    before = api.post("/v1/search", {"query": "river"}).json["release"]
    after = api.put("stream", "A stream is a small river.").json["release"]
    assert "stream" not in api.found("small river stream", release=before)
    assert "stream" in api.found("small river stream", release=after)
    assert api.post("/v1/search", {"query": "river", "min_release": after}).status == 200


def test_exact_search_bypasses_the_vector_index(api):
    assert api.found("the river Dalälven", exact=True, mode="vector")[0] == "river"
