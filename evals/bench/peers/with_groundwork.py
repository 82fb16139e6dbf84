"""Groundwork itself: a sweep of the folder into the inbox, then batch after batch into releases."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from evals.bench.peers.program import CHUNK_TOKENS, Passage, run
from index import tables
from index.chunks import table_name
from index.documents import Draft, Write
from index.embedder import open_embedder
from index.store import Store, open_store
from tasks.batch import run_batch
from tasks.chunk import SPECIAL_TOKENS, Chunker
from tasks.parse import parse
from tasks.prepare import Tools
from tasks.publish import Publisher
from tasks.sources.folder import FolderSource
from tasks.sources.port import Listed
from tasks.sweep import sweep
from tasks.upkeep import FOLD_EVERY
from tasks.validate import Contract

SOURCE = "bench"
# As the ingester folds.


class Groundwork:
    """All as it is shipped; the choice of a kernel is kept beside the state folders, as a second start would find it."""

    def __init__(self, state: Path, model: str) -> None:
        self._state = state
        embedder = open_embedder(model, state.parent)
        most = min(CHUNK_TOKENS + SPECIAL_TOKENS, embedder.max_tokens)
        self._tools = Tools(embedder, Chunker(embedder.tokenizer(), most), Contract(embedder.dimensions, embedder.max_tokens))
        embedder.embed(["warm up"])
        self._tools.contract.documents({"warm up": "The ingester does the same before it is ready."})

    def update(self, folder: Path) -> int:
        """A sweep, and a batch for each segment of the inbox, acknowledged when its release is there."""
        store = open_store(str(self._state), self._state)
        with store.lease("writer") as lease:
            lease.acquire(lambda: None)
            publisher = Publisher(store, self._tools)
            publisher.take_over()
            sweep(store, FolderSource(SOURCE, folder), confirm_removals=True)
            return sum(self._batch(store, publisher, name, number) for number, name in enumerate(_waiting(store), 1))

    def stored(self) -> Iterable[Passage]:
        """The rows of the live release."""
        store = open_store(str(self._state), self._state)
        live = store.log.live()
        table = tables.open_existing(store.db, table_name(live.generation))
        table.checkout(live.version)
        rows = table.search().select(["doc_id", "text"]).limit(tables.ALL).to_arrow().to_pylist()
        return [(row["doc_id"], row["text"]) for row in rows]

    def expected(self, folder: Path) -> Iterable[Passage]:
        """The chunks of the files as they are now."""
        source = FolderSource(SOURCE, folder)
        read = source.read([seen for seen in source.listing() if isinstance(seen, Listed)])
        for draft in (item for item in read if isinstance(item, Draft)):
            write = Write(draft, 1, datetime.now(UTC))
            yield from ((chunk.doc_id, chunk.text) for chunk in self._tools.chunker.chunks(write, parse(draft)))

    def _batch(self, store: Store, publisher: Publisher, name: str, number: int) -> int:
        outcomes = run_batch(store, publisher, self._tools, store.inbox.read(name))
        store.inbox.acknowledge([name])
        if number % FOLD_EVERY == 0:
            publisher.table.fold()
            store.ledger.fold()
            publisher.publish_maintenance()
        return sum(outcome.embedded for outcome in outcomes)


def _waiting(store: Store) -> list[str]:
    return [segment.name for segment in store.inbox.segments()]


if __name__ == "__main__":
    run(Groundwork)
