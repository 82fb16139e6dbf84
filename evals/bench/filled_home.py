"""A home with any number of documents for a platform to start on: taken in by the pipeline, but with vectors that are drawn."""

from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from evals.bench.lifelike import Lifelike
from evals.bench.serve_index import settle
from index.documents import Draft, Write
from index.embedder import Embedder, Places, Vectors, open_embedder
from index.recipe import Recipe
from index.store import open_store
from tasks.batch import run_batch
from tasks.chunk import chunker_for
from tasks.fold import fold
from tasks.prepare import Tools
from tasks.publish import Publisher
from tasks.validate import Contract

BATCH = 1_000
REAL = 1_000


class Drawing:
    """The model in all but the vectors of passages: those are drawn, like its own, in no time. It goes by the model's fingerprint."""

    def __init__(self, model: Embedder, vectors: Lifelike, rng: np.random.Generator) -> None:
        self._model, self._vectors, self._rng = model, vectors, rng
        self.name, self.fingerprint, self.kernel = model.name, model.fingerprint, model.kernel
        self.dimensions, self.max_tokens = model.dimensions, model.max_tokens

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Drawn vectors, shape (len(texts), dimensions), norm 1."""
        return self._vectors.draw(len(texts), self._rng)

    def embed_stream(self, texts: Sequence[str]) -> Generator[tuple[Places, Vectors]]:
        """All of them at once."""
        yield np.arange(len(texts)), self.embed(texts)

    def embed_query(self, text: str) -> Vectors:
        """The model's own vector of a question, shape (dimensions,), norm 1."""
        return self._model.embed_query(text)

    def tokenizer(self) -> Tokenizer:
        """The model's own."""
        return self._model.tokenizer()


def fill_home(home: Path, known: Sequence[str], drafts: Iterator[Draft]) -> None:
    """Indexes the documents, and makes and tunes the vector index as maintenance does. `known`: texts that the vectors are modelled on."""
    rng = np.random.default_rng(1)
    model = open_embedder(None, home)
    vectors = Lifelike(model.embed(known[:REAL]))
    drawing = Drawing(model, vectors, rng)
    recipe = Recipe()
    store = open_store(str(home / "index"), home, serves=True)
    tools = Tools(
        drawing, chunker_for(drawing, recipe.chunk_tokens), Contract(drawing.dimensions, drawing.max_tokens), vector_bits=recipe.vector_bits
    )
    publisher = Publisher(store, tools)
    publisher.take_over()
    writes = (Write(draft, revision, datetime.now(UTC)) for revision, draft in enumerate(drafts, 1))
    while batch := list(islice(writes, BATCH)):
        run_batch(store, publisher, tools, batch)
        fold(store, publisher.table)
        store.ledger.fold()
    settle(store, publisher, home, vectors, rng)
    tools.parsers.close()
