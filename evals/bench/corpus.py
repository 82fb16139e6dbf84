"""A made-up corpus of any size: texts, an embedder that costs nothing, and an index filled with rows."""

import hashlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from time import perf_counter
from zlib import crc32

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from index import schema, tables
from index.chunk_rows import Chunk, to_arrow
from index.chunks import table_name
from index.documents import Draft, Entry, content_hash
from index.embedder import Places, Vectors, bundled_path
from index.releases import Release
from index.store import Store
from tasks.chunk import Chunker
from tasks.dedupe import fingerprint
from tasks.plan import ChunkChanges
from tasks.prepare import Prepared, Timings, Tools
from tasks.publish import Publisher
from tasks.validate import Contract, Failure

DIMENSIONS = 384
VOCABULARY = 20_000
WORDS = 120
SLICE = 10_000
CHECKED = 100  # rows that go through the checks of a release
# Where the revisions of filled rows begin: 2020, so that whatever is accepted now is newer.
FIRST_REVISION = 1_577_836_800_000_000


class HashingEmbedder:
    """A bag of words: each word adds 1 to the dimension its hash picks. The store is measured with it, not a model."""

    name = "hashing"
    max_tokens = 256
    kernel = "hashing"

    def __init__(self, dimensions: int = DIMENSIONS) -> None:
        self.dimensions = dimensions
        self.fingerprint = f"hashing{dimensions}"
        self._tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))  # noqa: S106 - a token of text, no secret
        self._tokenizer.pre_tokenizer = Whitespace()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of passages, shape (len(texts), dimensions), norm 1."""
        counts = np.full((len(texts), self.dimensions), 1e-3, dtype=np.float32)
        for row, text in zip(counts, texts, strict=True):
            np.add.at(row, [crc32(word.encode()) % self.dimensions for word in text.split()], 1)
        return unit(counts)

    def embed_stream(self, texts: Sequence[str]) -> Generator[tuple[Places, Vectors]]:
        """All of them at once."""
        yield np.arange(len(texts)), self.embed(texts)

    def embed_query(self, text: str) -> Vectors:
        """The vector of one question, shape (dimensions,), norm 1."""
        vector: Vectors = self.embed([text])[0]
        return vector

    def tokenizer(self) -> Tokenizer:
        """One token a word."""
        return self._tokenizer


class TrustingContract(Contract):
    """Finds nothing wrong, at once: the made-up texts are as they should be, and the store is what is measured."""

    def __init__(self) -> None:
        super().__init__(DIMENSIONS, HashingEmbedder.max_tokens)

    def documents(self, texts: Mapping[str, str]) -> list[Failure]:
        """Nothing."""
        del texts
        return []

    def chunks(self, chunks: Sequence[Chunk]) -> list[Failure]:
        """Nothing."""
        del chunks
        return []

    def vectors(self, owners: Sequence[str], vectors: Sequence[Vectors]) -> list[Failure]:
        """Nothing."""
        del owners, vectors
        return []


class ModellessEmbedder(HashingEmbedder):
    """The same with the tokenizer of the bundled model, so that passages are cut as they are for it.

    `passages` were embedded in `seconds`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._tokenizer = Tokenizer.from_file(str(bundled_path() / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.seconds = 0.0
        self.passages = 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of passages, shape (len(texts), 384), norm 1."""
        began = perf_counter()
        vectors = super().embed(texts)
        self.seconds += perf_counter() - began
        self.passages += len(texts)
        return vectors


def modelless_tools(embedder: ModellessEmbedder) -> Tools:
    """All as it is shipped, but for the model."""
    return Tools(embedder, Chunker(embedder.tokenizer(), embedder.max_tokens), Contract(DIMENSIONS, embedder.max_tokens))


def tools(dimensions: int = DIMENSIONS) -> Tools:
    """What turns the made-up texts into vectors."""
    embedder = HashingEmbedder(dimensions)
    return Tools(embedder, Chunker(embedder.tokenizer(), embedder.max_tokens), TrustingContract())


def unit(vectors: Vectors) -> Vectors:
    """The vectors at length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), dtype=np.float32)


def texts(count: int, rng: np.random.Generator, words: int = WORDS) -> list[str]:
    """Texts of made-up words that are as unequally frequent as those of a language (Zipf)."""
    frequency = 1 / (np.arange(VOCABULARY) + 10)
    drawn = rng.choice(VOCABULARY, size=(count, words), p=frequency / frequency.sum())
    return [" ".join(f"w{word}" for word in row) for row in drawn]


def drafts(count: int, name: str, rng: np.random.Generator) -> list[Draft]:
    """Documents of one passage each."""
    return [Draft(f"{name}-{number}", content=text.encode(), title=f"{name} {number}") for number, text in enumerate(texts(count, rng))]


def fill(store: Store, publisher: Publisher, passages: Sequence[str], vectors: Vectors, ledger: bool = True, first: int = 0) -> Release:
    """Puts one document a passage into the index; all are visible in the release that is returned.

    The rows do not pass the inbox and the pipeline, and only the last of them the checks of a release.
    Without `ledger` only the last of them are in the ledger: enough to search, too little to write on.
    The documents are numbered from `first`.
    """
    chunks = [_chunk(number, text) for number, text in enumerate(passages, first)]
    made = {chunk.text_hash: vector for chunk, vector in zip(chunks, vectors, strict=True)}
    most, last = chunks[:-CHECKED], tuple(chunks[-CHECKED:])
    for start in range(0, len(most), SLICE):
        piece = most[start : start + SLICE]
        publisher.table.upsert(piece, made)
        if ledger:
            entries = [_entry(chunk, store.log.state.newest + 1) for chunk in piece]
            store.ledger.write(entries)
            for entry in entries:
                publisher.canonicals.add(entry.doc_id, entry.bands or ())
    rest = tuple(_entry(chunk, 0) for chunk in last)
    return publisher.publish(Prepared(rest, (), (), 0, ChunkChanges(last, (), len(last)), made, {}, len(last), {}, Timings()))


def pour(store: Store, publisher: Publisher, slices: Iterable[tuple[Sequence[str], Vectors]]) -> Release:
    """Fills an empty index with any number of passages and their vectors, some at a time; all are visible in the release that is returned.

    Appended, not upserted: all of them are new. Half of the rows are Markdown, each twentieth has the same source and each
    thousandth the same `metadata.thousandth`. As with `fill` without a ledger, there is enough to search and too little to write on.
    """
    table = tables.open_existing(store.db, table_name(publisher.table.generation))
    first = 0
    for passages, vectors in slices:
        bits = 8 * publisher.table.vector_bytes // vectors.shape[1]
        table.add(_rows(first, passages, vectors, schema.chunks(vectors.shape[1], bits)))
        first += len(passages)
    publisher.table.fold()
    return fill(store, publisher, passages[:CHECKED], vectors[:CHECKED], ledger=False, first=first)


def _rows(first: int, passages: Sequence[str], vectors: Vectors, target: pa.Schema) -> pa.Table:
    chunks = [
        replace(
            _chunk(number, text),
            title=None,
            source=f"source-{number % 20}",
            media_type=("text/plain", "text/markdown")[number % 2],
            metadata={"thousandth": number % 1000},
        )
        for number, text in enumerate(passages, first)
    ]
    return to_arrow(chunks, {chunk.text_hash: vector for chunk, vector in zip(chunks, vectors, strict=True)}, target)


def _chunk(number: int, text: str) -> Chunk:
    digest = hashlib.sha256(f"{number} {text}".encode()).hexdigest()
    return Chunk(
        chunk_id=digest[:32],
        doc_id=f"filled-{number}",
        revision=FIRST_REVISION + number,
        ordinal=0,
        text=text,
        title=f"filled {number}",
        uri=None,
        source="http",
        media_type="text/plain",
        heading=(),
        start=0,
        end=len(text),
        tokens=len(text.split()),
        text_hash=digest[32:],
        embedded_text=text,
    )


def _entry(chunk: Chunk, release: int) -> Entry:
    digest = content_hash(chunk.text.encode())
    return Entry(
        doc_id=chunk.doc_id,
        revision=chunk.revision,
        state="indexed",
        reason=None,
        source=chunk.source,
        uri=None,
        title=chunk.title,
        media_type=chunk.media_type,
        metadata="{}",
        content_hash=digest,
        accepted_at=datetime.now(UTC),
        release=release,
        duplicate_of=None,
        chunks=1,
        indexed_revision=chunk.revision,
        indexed_hash=digest,
        text=chunk.text,
        bands=fingerprint(chunk.text).bands,
    )
