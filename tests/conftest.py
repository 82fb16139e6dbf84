"""What most tests stand on: a store in a temporary folder, and tools that need no model."""

from pathlib import Path

import pytest

from index.store import Store, open_store
from tasks.chunk import Chunker
from tasks.prepare import Tools
from tasks.validate import Contract
from tests.bench import Bench
from tests.fakes import HashingEmbedder


@pytest.fixture(scope="session")
def contract() -> Contract:
    """The data contract for the hashing embedder; compiling it costs seconds."""
    return Contract(HashingEmbedder.dimensions, HashingEmbedder.max_tokens)


@pytest.fixture
def embedder() -> HashingEmbedder:
    """An embedder that remembers what it embedded."""
    return HashingEmbedder()


@pytest.fixture
def tools(embedder: HashingEmbedder, contract: Contract) -> Tools:
    """What turns documents into vectors, without a model."""
    return Tools(embedder, Chunker(embedder.tokenizer(), embedder.max_tokens), contract)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty index."""
    return open_store(str(tmp_path / "index"), tmp_path)


@pytest.fixture
def bench(tmp_path: Path, tools: Tools, embedder: HashingEmbedder) -> Bench:
    """An index that serves release 1, with nothing in it."""
    return Bench.open(tmp_path / "index", tools, embedder)
