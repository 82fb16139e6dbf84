"""What most tests stand on: a store in a temporary folder, and tools that need no model."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from index.store import Store, open_store
from tasks.prepare import Tools
from tasks.validate import Contract
from tests.bench import Bench, trusting_tools
from tests.fakes import HashingEmbedder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test comes first: last, one of two workers would wait for the other."""
    items.sort(key=lambda item: item.path.name != "test_end_to_end.py")


@pytest.fixture(scope="session")
def contract() -> Contract:
    """The data contract for the hashing embedder; compiling it costs seconds."""
    return Contract(HashingEmbedder.dimensions, HashingEmbedder.max_tokens)


@pytest.fixture
def embedder() -> HashingEmbedder:
    """An embedder that remembers what it embedded."""
    return HashingEmbedder()


@pytest.fixture
def tools(embedder: HashingEmbedder) -> Tools:
    """What turns documents into vectors, without a model, and without checking the data contract."""
    return trusting_tools(embedder)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty index."""
    return open_store(str(tmp_path / "index"), tmp_path)


@pytest.fixture(scope="session")
def empty_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an index that serves release 1; copying it is faster than making one."""
    embedder = HashingEmbedder()
    return Bench.open(tmp_path_factory.mktemp("empty") / "index", trusting_tools(embedder), embedder).store.folder


@pytest.fixture
def bench(tmp_path: Path, tools: Tools, embedder: HashingEmbedder, empty_index: Path) -> Bench:
    """An index that serves release 1, with nothing in it."""
    shutil.copytree(empty_index, tmp_path / "index")
    return Bench.open(tmp_path / "index", tools, embedder)


@pytest.fixture
def strict_bench(tmp_path: Path, tools: Tools, embedder: HashingEmbedder, contract: Contract, empty_index: Path) -> Bench:
    """A `bench` that checks the data contract."""
    shutil.copytree(empty_index, tmp_path / "index")
    return Bench.open(tmp_path / "index", replace(tools, contract=contract), embedder)
