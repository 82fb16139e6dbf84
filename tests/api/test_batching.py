"""Questions that are asked at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

from api.batching import LONGEST, Together
from tests.fakes import HashingEmbedder


class Counting:
    """A model that notes its batches, and waits in the first until it is let go."""

    def __init__(self) -> None:
        self.embedder = HashingEmbedder()
        self.batches: list[int] = []
        self.begun, self.go = Event(), Event()

    def one(self, text):
        self._note(1)
        if text == "bad":
            raise ValueError(text)
        return self.embedder.embed_query(text)

    def many(self, texts):
        self._note(len(texts))
        if "bad" in texts:
            raise ValueError("one of them")
        return self.embedder.embed(texts)

    def _note(self, count):
        self.batches.append(count)
        self.begun.set()
        self.go.wait(5)


def asked_at_once(model, first, others):
    together = Together(model.one, model.many)
    with ThreadPoolExecutor(len(others) + 1) as pool:
        asked = [pool.submit(together.vector, first)]
        model.begun.wait(5)
        asked += [pool.submit(together.vector, text) for text in others]
        while len(together._waiting) < len(others):
            pass
        model.go.set()
    return asked


def test_who_is_alone_is_embedded_alone():
    model = Counting()
    model.go.set()
    together = Together(model.one, model.many)
    assert np.array_equal(together.vector("copper"), model.embedder.embed_query("copper"))
    assert np.array_equal(together.vector("silver"), model.embedder.embed_query("silver"))
    assert model.batches == [1, 1]


def test_what_comes_meanwhile_is_one_batch_with_the_vectors_of_each():
    model = Counting()
    texts = [f"question {number}" for number in range(9)]
    found = [asked.result() for asked in asked_at_once(model, texts[0], texts[1:])]
    assert model.batches == [1, 8]
    for text, vector in zip(texts, found, strict=True):
        assert float(vector @ model.embedder.embed_query(text)) >= 0.9999


def test_no_more_than_a_batch_go_together():
    model = Counting()
    asked_at_once(model, "first", [f"question {number}" for number in range(20)])
    assert model.batches == [1, 16, 4]


def test_an_error_goes_to_who_asked():
    model = Counting()
    asked = asked_at_once(model, "first", ["good", "bad", "fine"])
    with pytest.raises(ValueError, match="bad"):
        asked[2].result()
    assert [len(asked[place].result()) for place in (0, 1, 3)] == [model.embedder.dimensions] * 3


def test_a_long_question_makes_nobody_wait():
    model = Counting()
    model.go.set()
    Together(model.one, model.many).vector("x" * (LONGEST + 1))
    assert model.batches == [1]
