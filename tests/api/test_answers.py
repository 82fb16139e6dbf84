"""Answers over HTTP: quoted from the sources, with or without a language model."""

import socket

import pytest

from tests.api.running import RunningApi

FACT = "The Faxe brewery stands in southern Zealand."


@pytest.fixture(scope="module", autouse=True)
def documents(api):
    """Where the answers are."""
    api.put("brewery", f"Beer is old. {FACT} Nobody knows why.", title="Breweries")


def test_an_answer_quotes_its_source_word_for_word(api):
    reply = api.post("/v1/answers", {"question": "In southern Zealand stands the Faxe brewery?"}).json
    assert (reply["grounded"], reply["generator"], reply["degraded"]) == (True, "extractive", [])
    assert reply["release"] == api.get("/v1/releases/live").json["release"]
    citation = reply["citations"][0]
    assert (citation["n"], citation["doc_id"], citation["quote"], citation["span"]) == (1, "brewery", FACT, [13, 13 + len(FACT)])
    assert reply["answer"].startswith(f"{FACT} [1]")


def test_what_the_sources_do_not_hold_is_not_answered(api):
    reply = api.post("/v1/answers", {"question": "Quantum chromodynamics lattice?", "filter": {"doc_id": "brewery"}}).json
    assert (reply["grounded"], reply["citations"]) == (False, [])
    assert "do not hold an answer" in reply["answer"]


def test_an_answer_is_made_from_what_the_filter_leaves(api):
    reply = api.post("/v1/answers", {"question": "In southern Zealand stands the Faxe brewery?", "filter": {"doc_id": "mine"}}).json
    assert "brewery" not in [citation["doc_id"] for citation in reply["citations"]]


def test_an_answer_can_be_asked_of_an_older_release(api):
    assert api.post("/v1/answers", {"question": "Where is the Faxe brewery?", "release": 1}).json["grounded"] is False


@pytest.mark.thorough
def test_when_the_language_model_is_down_the_sources_answer_and_the_reply_says_so(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and not listening: who connects is refused
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        with RunningApi(tmp_path, llm_url=url, llm_model="storyteller") as running:
            running.start_ingester().put("brewery", FACT)
            reply = running.post("/v1/answers", {"question": "In southern Zealand stands the Faxe brewery?"}).json
    assert (reply["grounded"], reply["generator"], reply["answer"]) == (True, "extractive", f"{FACT} [1]")
    assert reply["degraded"] == ["storyteller: the model endpoint failed (ConnectError); answered with extractive instead"]
