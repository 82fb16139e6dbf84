"""A whole index in a temporary folder: write in one line, search in one line."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from evals.examine import Report
from evals.gate import Verdict
from index.documents import Draft, Write
from index.embedder import Embedder
from index.errors import Misconfigured
from index.reader import Reader
from index.recipe import Recipe
from index.releases import Release
from index.shortened import shortened
from index.store import Store, open_store
from tasks.batch import Outcome, run_batch
from tasks.chunk import Chunker
from tasks.health import Finding
from tasks.prepare import Tools
from tasks.publish import Publisher
from tasks.retrieve import Query, Retrieved, retrieve
from tests.fakes import HashingEmbedder, TrustingContract


def trusting_tools(embedder: HashingEmbedder) -> Tools:
    """What turns documents into vectors, without a model, and without checking the data contract."""
    contract = TrustingContract(embedder.dimensions, embedder.max_tokens)
    return Tools(embedder, Chunker(embedder.tokenizer(), embedder.max_tokens), contract)


@dataclass(frozen=True, slots=True)
class Bench:
    """The ingester's side (`store`, `publisher`, `tools`) and the side that serves (`reader`), as if in two processes."""

    store: Store
    publisher: Publisher
    reader: Reader
    tools: Tools
    embedder: HashingEmbedder

    @classmethod
    def open(cls, folder: Path, tools: Tools, embedder: HashingEmbedder) -> Self:
        """Opens the index in the folder and takes it over: an empty one gets release 1."""
        store = open_store(str(folder), folder)
        publisher = Publisher(store, tools)
        publisher.take_over()
        reader = open_store(str(folder), folder).reader()
        reader.follow()
        return cls(store, publisher, reader, tools, embedder)

    @property
    def live(self) -> Release:
        """The release that readers see."""
        return self.reader.view().release

    def put(self, doc_id: str, text: str, **facts: Any) -> Outcome:
        """Takes one document through inbox and pipeline as a batch of its own."""
        return self.ingest(Draft(doc_id, content=text.encode(), **facts))

    def delete(self, doc_id: str) -> Outcome:
        """Takes one deletion through inbox and pipeline as a batch of its own."""
        return self.ingest(Draft(doc_id, "delete"))

    def ingest(self, *drafts: Draft) -> Outcome:
        """Accepts the drafts and makes them one release."""
        self.accept(*drafts)
        [outcome] = self.drain()
        return outcome

    def accept(self, *drafts: Draft) -> list[Write]:
        """Puts the drafts into the inbox, as one segment."""
        return self.store.inbox.accept(drafts)

    def drain(self) -> list[Outcome]:
        """Takes all that waits into the index as one batch."""
        names = [segment.name for segment in self.store.inbox.segments()]
        outcomes = run_batch(self.store, self.publisher, self.tools, [write for name in names for write in self.store.inbox.read(name)])
        self.store.inbox.acknowledge(names)
        self.reader.follow()
        return outcomes

    def search(self, text: str, **query: Any) -> Retrieved:
        """Searches the live release, or the one named by `release`."""
        self.reader.follow()
        return retrieve(self.reader, self.embedder, Query(text, **query))

    def found(self, text: str, **query: Any) -> list[str]:
        """The documents of the hits, best first."""
        return list(dict.fromkeys(hit.chunk.doc_id for hit in self.search(text, **query).hits))


class Workshop:
    """Makes tools of the hashing embedder."""

    def __init__(self, tools: Tools, embedders: Mapping[Recipe, Embedder] | None = None) -> None:
        self._tools = tools
        self._embedders = dict(embedders or {})

    def __call__(self, recipe: Recipe) -> Tools:
        if recipe.embedder == "lost":
            raise Misconfigured("lost can't be loaded")
        whole = self._embedders.get(recipe, self._tools.embedder)
        embedder = shortened(whole, recipe.dimensions)
        return replace(self._tools, embedder=embedder, chunker=Chunker(embedder.tokenizer(), recipe.chunk_tokens), recipe=recipe)


@dataclass
class Gate:
    """Says what it is told, and remembers what it was asked about."""

    verdict: Verdict = Verdict.PROMOTE
    fault: str = ""
    candidate: Release | None = None

    def __call__(self, _store: object, _live: Release, candidate: Release, *_: object) -> Report:
        self.candidate = candidate
        return Report(self.verdict, [Finding("vectors", not self.fault, self.fault)], {})
