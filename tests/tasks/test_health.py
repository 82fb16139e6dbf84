"""What is wrong with a release: each fault is found, and named."""

from dataclasses import replace

import numpy as np
import pytest

from index.documents import Draft
from index.embedder import Vectors
from index.search import Candidate, View
from tasks import health
from tests.bench import Bench
from tests.fakes import HashingEmbedder

WORDS = "apples pears plums cherries quinces medlars grapes currants walnuts almonds figs dates olives".split()  # noqa: SIM905 - it reads better


def text(number: int) -> str:
    """One whose words no other has together."""
    return " ".join(f"{word}{chr(97 + number % 26)}{chr(97 + number // 26)}" for word in WORDS)


def head(bench: Bench) -> View:
    return bench.store.head(bench.live.generation)


def filled(bench: Bench, count: int = 40) -> View:
    bench.ingest(*(Draft(f"d{number}", content=text(number).encode()) for number in range(count)))
    return head(bench)


class Wrong(HashingEmbedder):
    """The model by its name; its vectors are changed."""

    def __init__(self, change: str) -> None:
        super().__init__()
        self.change = change

    def embed(self, texts: list[str]) -> Vectors:
        vectors = super().embed(texts)
        return vectors * 0.5 if self.change == "short" else np.roll(vectors, 1, axis=0)


def test_a_sound_release_has_no_fault(bench: Bench):
    view = filled(bench)
    bench.publisher.table.fold()
    found = health.examined(head(bench), bench.embedder)
    assert {finding.name: finding.ok for finding in found} == dict.fromkeys(
        ("vectors", "embeddings", "full text", "vector index", "fragments"), True
    )
    assert view.release.rows == 40


def test_vectors_of_another_length_are_found(bench: Bench):
    filled(replace(bench, tools=replace(bench.tools, embedder=Wrong("short"))))
    finding = health.lengths(head(bench), 64)
    assert (finding.ok, finding.detail) == (False, "40 of 40 have a length that is not 1")


def test_vectors_of_other_passages_are_found(bench: Bench):
    filled(replace(bench, tools=replace(bench.tools, embedder=Wrong("shuffled"))))
    finding = health.vectors_belong(head(bench), bench.embedder)
    assert (finding.ok, finding.detail) == (False, "40 of 40 vectors are not those of their passages")


def test_another_number_of_dimensions_is_found(bench: Bench):
    assert health.lengths(filled(bench), 32).detail == "they have 64 dimensions in place of 32"


@pytest.mark.thorough
def test_a_full_text_index_that_covers_nothing_is_found(bench: Bench):
    view = filled(bench)
    assert view.unindexed_text() == 0
    bench.ingest(*(Draft(f"e{number}", content=text(100 + number).encode()) for number in range(30)))
    finding = health.text_covered(head(bench))
    assert (finding.ok, finding.detail) == (False, "30 rows are not in the full-text index")
    assert health.text_covered(head(bench), allowed=100).ok


def test_documents_and_passages_that_are_missing_are_named():
    assert health.documents({"a": 1, "b": 2}, {"b": 2}).detail == "1 of 2 are not in it, such as ['a']"
    assert health.passages({"a": 1, "b": 2}, {"a": 1, "b": 1}).detail == "1 documents have more or fewer, such as ['b']"
    assert health.documents({"a": 1}, {"a": 5}).ok


@pytest.mark.parametrize("words", ["", "to be or not to be", "1 2 3 4 5 6 7 8", "鳥が鳴く"])
def test_what_has_no_telling_words_is_not_asked_for(words):
    assert health.telling(words) == ""


class Forgetful(View):
    """Its approximate search finds nothing."""

    def by_vector(
        self, vector: Vectors, limit: int, condition: str | None, exact: bool = False, settings: object = None
    ) -> list[Candidate]:
        return super().by_vector(vector, limit, condition, exact) if exact else []


def test_what_the_approximate_search_alone_misses_is_not_lost_and_what_is_gone_is(bench: Bench):
    view = filled(bench)
    view.__class__ = Forgetful
    there = health.Canary("there", text(3), bench.embedder.embed_query(text(3)))
    gone = health.Canary("gone", text(3), bench.embedder.embed_query("a text that nobody ever sent"))
    assert health.lost(view, [there, gone]) == ["gone"]
