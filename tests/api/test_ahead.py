"""Questions of searches that wait for their turn."""

import gc
import json

import pytest

from api.ahead import MOST_BYTES, Ahead
from api.asking import Asking
from index.serving import Serving
from tests.fakes import HashingEmbedder


def known_ahead(body: bytes, model: Asking | None = None) -> list[str]:
    """The questions that may be embedded while a search with this body waits."""
    asking = model or Asking(HashingEmbedder(), Serving(), here=True)
    ahead = Ahead()
    ahead.uses(asking)
    with ahead.of(body):
        known = list(asking._together._ahead) if asking._together else []
    assert not (asking._together and asking._together._ahead)
    return known


def test_a_question_may_be_embedded_while_its_search_waits():
    assert known_ahead(b'{"query": "copper", "k": 3, "filter": {"lang": "en"}}') == ["copper"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"query": "copper", "mode": "text"}',
        b'{"query": "copper", "release": 3}',
        b'{"query": "copper", "cursor": "of a page"}',
        b'{"query": " "}',
        b'{"query": "copper", "filter": ' + b"[" * 2000,
        b'{"query": 7}',
        b'{"query": "\\ud800"}',
        b'{"query": "\xff"}',
        b"[1]",
        b"",
        b'{"query": "copper"',
        json.dumps({"query": "copper", "filter": {"note": "x" * MOST_BYTES}}).encode(),
    ],
)
def test_what_needs_no_vector_or_is_no_plain_search_is_left_for_its_turn(body: bytes):
    assert known_ahead(body) == []


def test_a_vector_that_is_remembered_is_not_made_again():
    model = Asking(HashingEmbedder(), Serving(), here=True)
    model.embed_query("copper")
    assert known_ahead(b'{"query": "copper"}', model) == []


@pytest.mark.parametrize("model", [Asking(HashingEmbedder(), Serving(), here=False), HashingEmbedder(), None])
def test_a_service_a_model_that_nobody_batches_and_none_get_nothing_ahead(model):
    ahead = Ahead()
    ahead.uses(model)
    with ahead.of(b'{"query": "copper"}'):
        pass


def test_it_is_done_without_a_memory_of_vectors_too():
    assert known_ahead(b'{"query": "copper"}', Asking(HashingEmbedder(), Serving(cache_mib=0), here=True)) == ["copper"]


@pytest.mark.thorough
def test_a_model_that_is_replaced_does_not_stay_for_it():
    ahead, model = Ahead(), Asking(HashingEmbedder(), Serving(), here=True)
    ahead.uses(model)
    del model
    gc.collect()
    with ahead.of(b'{"query": "copper"}'):
        pass
    assert ahead._model
    assert ahead._model() is None
