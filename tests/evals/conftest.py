from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from evals import dataset
from index.chunks import generation_name
from index.documents import Draft, Write
from index.evaluations import Evaluation
from index.store import Store, open_store
from index.vectors import HALF_PRECISION
from tasks.chunk import Chunker
from tasks.parse import parse
from tests.fakes import HashingEmbedder


@dataclass
class Library:
    """An index in a folder that releases documents as they are, without the pipeline around it."""

    store: Store
    embedder: HashingEmbedder = field(default_factory=HashingEmbedder)

    def release(self, documents: Mapping[str, str]) -> int:
        """Adds the documents (text by id) and makes a release; returns its number."""
        chunker = Chunker(self.embedder.tokenizer(), self.embedder.max_tokens)
        table = self.store.chunk_table(generation_name(self.embedder, chunker.fingerprint, HALF_PRECISION), self.embedder.dimensions)
        drafts = [Draft(doc_id, content=text.encode()) for doc_id, text in documents.items()]
        chunks = [chunk for n, draft in enumerate(drafts, 1) for chunk in chunker.chunks(Write(draft, n, datetime.now(UTC)), parse(draft))]
        vectors = self.embedder.embed([chunk.embedded_text for chunk in chunks])
        table.upsert(chunks, {chunk.text_hash: vector for chunk, vector in zip(chunks, vectors, strict=True)})
        table.ensure_full_text()
        number = self.store.log.state.newest + 1
        detail = {
            "generation": table.generation,
            "version": table.version,
            "ledger_version": self.store.ledger.version,
            "rows": table.count(),
            "embedder": self.embedder.fingerprint,
            "dimensions": self.embedder.dimensions,
        }
        self.store.log.append("released", number, by="test", detail=detail)
        return number


@pytest.fixture
def library(tmp_path):
    return Library(open_store(str(tmp_path / "index"), tmp_path))


@pytest.fixture(scope="module")
def golden_library(tmp_path_factory):
    """Release 1 holds, for each document that the default golden set quotes, what it quotes of it."""
    home = tmp_path_factory.mktemp("golden")
    library = Library(open_store(str(home / "index"), home))
    library.release(quoted_documents())
    return library


def quoted_documents() -> dict[str, str]:
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for question in dataset.load():
        for passage in question.passages:
            texts[passage.doc_id].append(passage.quote)
    return {doc_id: "\n\n".join(dict.fromkeys(quotes)) for doc_id, quotes in texts.items()}


@pytest.fixture
def evaluated():
    """Makes a finished evaluation of the default set whose answerable questions all have the nDCG@10 that is given."""

    def make(identifier, release, ndcg, stale=0, asked=None, golden="default"):
        questions = dataset.load()[:asked]
        answerable = [question.id for question in questions if question.answerable]
        measured = set(answerable[stale:])
        rows = tuple({"id": question.id, "metrics": {"nDCG@10": ndcg} if question.id in measured else {}} for question in questions)
        at = datetime(2026, 1, release, tzinfo=UTC)
        return Evaluation(identifier, release, golden, "completed", None, at, at, (), rows)

    return make
