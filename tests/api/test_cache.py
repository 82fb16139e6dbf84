"""What is remembered, and above all what is not."""

import gc

import numpy as np
import pytest

from api.cache import RememberedVectors, Replies
from tests.fakes import HashingEmbedder

ASKED = {"query": "Where is silver mined?"}


def is_cached(api, **more):
    return "cached" in api.post("/v1/search", ASKED | more).json["timings_ms"]


@pytest.mark.thorough
def test_a_repeated_search_is_remembered_and_says_so(own):
    own.start_ingester().put("mine", "Silver was mined in Sala.")
    first, second = (own.post("/v1/search", ASKED).json for _ in range(2))
    assert ("cached" in first["timings_ms"], "cached" in second["timings_ms"]) == (False, True)
    assert first["hits"] == second["hits"]
    assert not is_cached(own, k=9)
    assert not is_cached(own, filter={"doc_id": "mine"})


@pytest.mark.thorough
def test_a_key_with_a_filter_never_sees_what_another_key_found(own):
    own.start_ingester().put("mine", "Silver was mined in Sala.")
    other = own.key("reader", {"doc_id": "other"})
    assert own.found(**ASKED) == own.found(**ASKED) == ["mine"]
    assert own.found(**ASKED, key=other) == []
    assert own.found(**ASKED) == ["mine"]


@pytest.mark.thorough
def test_a_new_release_is_searched_anew(own):
    own.start_ingester().put("mine", "Silver was mined in Sala.")
    own.found(**ASKED)
    own.put("second", "Silver is mined here, where else? Where is silver mined?")
    assert not is_cached(own)
    assert sorted(own.found(**ASKED)) == ["mine", "second"]


def test_what_is_deleted_is_never_shown_again_on_any_release(own):
    own.start_ingester().put("mine", "Silver was mined in Sala.")
    own.put("second", "Silver was found in Kongsberg.")
    release = own.get("/v1/releases/live").json["release"]
    assert sorted(own.found(**ASKED)) == ["mine", "second"]
    assert sorted(own.found(**ASKED, release=release)) == ["mine", "second"]
    assert own.delete("mine").status == 200
    assert own.found(**ASKED) == ["second"]
    assert own.found(**ASKED, release=release) == ["second"]
    gc.collect()
    own.platform.replies.forget_closed()
    remembered = own.platform.replies._known.values()
    assert not any("Sala" in hit.chunk.text for found in remembered for hit in found.hits)


@pytest.mark.thorough
def test_what_is_deleted_while_live_is_pinned_is_never_shown_again(own):
    own.start_ingester().put("mine", "Silver was mined in Sala.")
    release = own.get("/v1/releases/live").json["release"]
    own.put("second", "Silver was found in Kongsberg.")
    assert own.post("/v1/rollback", {"to": release, "reason": "a test"}).status == 200
    own.until(lambda: own.found(**ASKED) == ["mine"])
    assert own.delete("mine").status == 200
    assert own.found(**ASKED) == []
    assert own.found(**ASKED, release=release) == []


@pytest.mark.thorough
def test_what_is_purged_is_never_shown_again(own):
    own.start_ingester().put("mine", "Silver was mined in Sala.")
    assert own.found(**ASKED) == own.found(**ASKED) == ["mine"]
    assert own.call("DELETE", "/v1/documents/mine", params={"wait": 20, "purge": True}).status == 200
    assert own.found(**ASKED) == []


@pytest.mark.thorough
def test_questions_are_logged_though_their_replies_are_remembered(own):
    own.start_ingester().put("mine", "Silver was mined in Sala.")
    for _ in range(3):
        own.found(**ASKED)
    assert len(own.platform.traffic._without_hits) == 3


def test_vectors_are_remembered_without_the_question():
    asked = []

    def embed(text):
        asked.append(text)
        return HashingEmbedder().embed_query(text)

    remembered = RememberedVectors(embed, most=2)
    first = remembered.vector("a secret question")
    assert np.array_equal(first, remembered.vector("a secret question"))
    assert asked == ["a secret question"]
    assert "secret" not in repr(remembered._known)
    remembered.vector("b")
    remembered.vector("c")
    remembered.vector("a secret question")
    assert len(asked) == 4


@pytest.mark.thorough
def test_no_memory_remembers_nothing(own):
    own.platform.replies = Replies(0)
    own.start_ingester().put("mine", "Silver was mined in Sala.")
    own.found(**ASKED)
    assert not is_cached(own)
    assert len(own.platform.replies) == 0
