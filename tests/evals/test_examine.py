"""The gate of a rebuild on real indexes: what is as good passes, what is worse is held with the reason."""

from dataclasses import replace

import numpy as np
import pytest

from evals.examine import Report, examine, overall, speed
from evals.gate import Judgement, Verdict
from index.documents import Draft
from index.embedder import Vectors
from index.recipe import Recipe
from tasks.prepare import Tools
from tasks.rebuild import Rebuild
from tests.bench import Bench, Workshop
from tests.fakes import HashingEmbedder

pytestmark = pytest.mark.thorough

WORDS = "apple pear plum cherry quince medlar grape currant walnut almond fig date olive peach melon lemon".split()  # noqa: SIM905 - it reads better


@pytest.fixture
def orchard(bench: Bench) -> Bench:
    """Sixty documents, each with a sentence of its own."""
    rng = np.random.default_rng(1)
    texts = (" ".join(rng.permutation(WORDS)[:9]) + f" of farmer{chr(97 + n % 26)}{chr(97 + n // 26)} grow." for n in range(60))
    bench.ingest(*(Draft(f"d{n}", content=text.encode()) for n, text in enumerate(texts)))
    return bench


def verdict(bench: Bench, tools: Tools, spoil: object = None) -> Report:
    """What the gate says of a rebuild with these tools; `spoil` is done to the table before it is offered."""
    rebuild = Rebuild(bench.store, bench.publisher, tools)
    for _ in range(50):
        if rebuild.step(1.0):
            break
    if callable(spoil):
        spoil(rebuild)
    candidate = rebuild.offer()
    live = bench.store.log.get(bench.store.log.state.newest)
    return examine(bench.store, live, candidate, bench.tools, tools, recall_target=0.95)


def faults(report: Report) -> list[str]:
    return [finding.name for finding in report.faults]


class Other(HashingEmbedder):
    """Another model, as good as the first: the same vectors, by another name. `spoil` changes those of passages."""

    fingerprint = "other64"

    def __init__(self, spoil: str = "") -> None:
        super().__init__()
        self._spoil = spoil

    def embed(self, texts: list[str]) -> Vectors:
        vectors = super().embed(texts)
        if self._spoil == "shuffled":
            return vectors[::-1] if len(vectors) > 1 else np.roll(vectors, 7, axis=1)
        return vectors * 2 if self._spoil == "long" else vectors


def test_a_model_that_is_as_good_passes(orchard: Bench):
    report = verdict(orchard, Workshop(orchard.tools, {Recipe("other"): Other()})(Recipe("other")))
    assert (report.passed, faults(report)) == (True, [])
    assert report.judgements["known items"].delta == 0.0


def test_a_generation_of_shuffled_vectors_is_held(orchard: Bench):
    report = verdict(orchard, replace(orchard.tools, embedder=Other("shuffled")))
    assert "embeddings" in faults(report)
    assert not report.passed


def test_a_generation_with_the_wrong_normalisation_is_held(orchard: Bench):
    report = verdict(orchard, replace(orchard.tools, embedder=Other("long")))
    assert "vectors" in faults(report)
    assert "60 of 60 have a length that is not 1" in str(report)


def test_a_truncated_corpus_is_held(orchard: Bench):
    def lose(rebuild: Rebuild) -> None:
        gone = rebuild._target.of_documents([f"d{n}" for n in range(20)])
        rebuild._target.delete([chunk.chunk_id for chunks in gone.values() for chunk in chunks])

    report = verdict(orchard, replace(orchard.tools, embedder=Other()), lose)
    assert {"documents", "passages"} <= set(faults(report))
    assert "20 of 60 are not in it, such as ['d0', 'd1', 'd10']" in str(report)


def test_a_generation_whose_full_text_index_covers_nothing_is_held(orchard: Bench, monkeypatch: pytest.MonkeyPatch):
    def make_it_of_nothing(rebuild: Rebuild) -> None:
        table = rebuild._target._table
        rows = table.to_arrow()
        table.delete("true")
        table.add(rows)

    monkeypatch.setattr("index.chunks.ChunkTable.fold", lambda _: None)
    report = verdict(orchard, replace(orchard.tools, embedder=Other()), make_it_of_nothing)
    assert "full text" in faults(report)
    assert "60 rows are not in the full-text index" in str(report)


def test_fewer_dimensions_that_lose_too_much_are_held(orchard: Bench):
    recipe = Recipe(dimensions=2)
    report = verdict(orchard, Workshop(orchard.tools)(recipe))
    assert not report.passed


def test_a_search_that_takes_longer_is_a_fault_where_it_is_felt():
    assert speed(8.0, 11.9).ok
    assert not speed(8.0, 12.1).ok


@pytest.mark.parametrize(
    ("golden", "known", "both"),
    [
        (None, Verdict.PROMOTE, Verdict.PROMOTE),
        (Verdict.PROMOTE, Verdict.PROMOTE, Verdict.PROMOTE),
        (Verdict.INCONCLUSIVE, Verdict.PROMOTE, Verdict.INCONCLUSIVE),
        (Verdict.PROMOTE, Verdict.HOLD, Verdict.HOLD),
        (Verdict.HOLD, Verdict.PROMOTE, Verdict.HOLD),
    ],
)
def test_golden_questions_decide_where_there_are_enough_and_known_items_can_hold(golden, known, both):
    too_few = Judgement(Verdict.INCONCLUSIVE, 3, 1)
    asked = Judgement(golden, 50, 1, delta=0.0) if golden else too_few
    assert overall(asked, Judgement(known, 300, 1, delta=0.0)) is both
