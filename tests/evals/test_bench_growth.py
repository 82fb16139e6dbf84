from pathlib import Path

import pytest

from evals.bench import corpus
from evals.bench.growth import FOLDED, WHOLE, Growing, costs
from tasks.chunk import Chunker
from tasks.prepare import Tools

pytestmark = pytest.mark.thorough

TEXTS = ["the red apple of the old orchard ripens in the autumn", "a blue boat sails around the small island every morning"]


@pytest.fixture
def tools() -> Tools:
    embedder = corpus.ModellessEmbedder()
    return Tools(embedder, Chunker(embedder.tokenizer(), embedder.max_tokens), corpus.TrustingContract())


def test_the_cost_of_a_document_is_compared_with_that_in_a_smaller_index(tmp_path: Path, tools: Tools):
    figures = {
        (figure.case, figure.metric): figure for figure in costs(Growing.open(tmp_path, tools, TEXTS), (3, 12), batches=2, documents=2)
    }
    small, large = (f"{size} documents in the index, fake embedder" for size in (3, 12))
    assert figures[small, WHOLE].value > 0
    assert figures[small, WHOLE].ratio is None
    assert figures[large, WHOLE].baseline == small
    assert figures[large, FOLDED].value > figures[large, WHOLE].value
    steps = [figure.value for (case, metric), figure in figures.items() if case == large and metric.startswith(f"{WHOLE}, ")]
    assert len(steps) > 5


def test_filled_documents_are_known_to_the_search_for_near_duplicates(tmp_path: Path, tools: Tools):
    index = Growing.open(tmp_path, tools, TEXTS)
    index.fill(300)
    index.reopen()
    [entry] = index.store.ledger.get(["filled-7"], with_text=True).values()
    assert "filled-7" in index.publisher.canonicals.candidates(entry.bands or ())
    assert index.store.ledger.counts() == {"indexed": 300}
