"""Questions that are asked at once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import numpy as np
import pytest

from api.batching import AHEAD, LONGEST, Together
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


def test_what_is_known_ahead_fills_up_the_batch_and_waits_no_more():
    model = Counting()
    together = Together(model.one, model.many)
    with ExitStack() as known, ThreadPoolExecutor(2) as pool:
        first = pool.submit(together.vector, "first")
        model.begun.wait(5)
        for number in range(3):
            known.enter_context(together.ahead(f"later {number}"))
        second = pool.submit(together.vector, "second")
        while not together._waiting:
            pass
        model.go.set()
        for asked in (first, second):
            asked.result()
        later = [together.vector(f"later {number}") for number in range(3)]
    assert model.batches == [1, 4]
    for number, vector in enumerate(later):
        assert float(vector @ model.embedder.embed_query(f"later {number}")) >= 0.9999


def test_many_that_are_known_ahead_are_embedded_before_anybody_asks():
    model = Counting()
    model.go.set()
    together = Together(model.one, model.many)
    with ExitStack() as known:
        for number in range(AHEAD):
            assert model.batches == []
            known.enter_context(together.ahead(f"question {number}"))
        assert model.begun.wait(5)
        found = [together.vector(f"question {number}") for number in range(AHEAD)]
    assert model.batches == [AHEAD]
    assert len(found) == AHEAD


def test_a_question_that_goes_away_is_not_embedded_and_leaves_nothing():
    model = Counting()
    model.go.set()
    together = Together(model.one, model.many)
    with together.ahead("gone"), together.ahead("gone"), together.ahead("x" * (LONGEST + 1)):
        pass
    together.vector("asked")
    assert model.batches == [1]
    assert not together._ahead


def test_an_error_ahead_goes_to_who_asks():
    model = Counting()
    model.go.set()
    together = Together(model.one, model.many)
    texts = ["bad", *(f"question {number}" for number in range(AHEAD - 1))]
    with ExitStack() as known:
        for text in texts:
            known.enter_context(together.ahead(text))
        assert len(together.vector(texts[1])) == model.embedder.dimensions
        with pytest.raises(ValueError, match="bad"):
            together.vector("bad")


def test_a_question_stays_known_until_the_last_who_asks_it_has_gone():
    model = Counting()
    together = Together(model.one, model.many)
    with together.ahead("asked twice"):
        with together.ahead("asked twice"):
            pass
        assert list(together._ahead) == ["asked twice"]
    assert not together._ahead


def test_what_failed_ahead_is_tried_again():
    model = Counting()
    model.go.set()
    together = Together(model.one, model.many)
    with together.ahead("bad"):
        for _ in range(2):
            with pytest.raises(ValueError, match="bad"):
                together.vector("bad")
    assert model.batches == [1, 1]
