"""The ingest loop with its errands and rebuilds in a process of its own.

`python -m tests.proofs.ingest_loop FOLDER [--dies-after FUNCTION] [--folds]` says `ready` once it has taken the index over. With a
function (`ChunkTable.upsert`) the process kills itself, as `kill -9` would, when that function has returned for the first time.
`--folds`: it folds after each batch. `--counts FILE`: recipes whose embedder is `bundled` are made by the bundled model, and the number
of texts that it embeds at a time is noted in the file before it begins.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from time import sleep
from types import FrameType
from typing import Any

from flows.errands import Errands
from flows.ingest import Drain
from flows.rebuilding import Rebuilding
from index.embedder import Embedder, Vectors, embedder_of
from index.recipe import Recipe
from index.settings import Settings
from index.store import open_store
from tasks.chunk import Chunker
from tasks.prepare import Tools
from tasks.publish import Publisher
from tests.bench import Gate, Workshop
from tests.fakes import HashingEmbedder, TrustingContract

BUNDLED = Recipe(embedder="bundled")


def die_after(function: str) -> None:
    """Ends this process the moment the function returns."""

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "return" and frame.f_code.co_qualname == function:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)
    threading.setprofile(watch)


class Counting:
    """An embedder that notes how much it is asked for, even if it is killed over it."""

    def __init__(self, embedder: Embedder, counts: Path) -> None:
        self._embedder = embedder
        self._counts = counts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)

    def embed(self, texts: Sequence[str]) -> Vectors:
        with self._counts.open("a") as file:
            file.write(f"{len(texts)}\n")
        return self._embedder.embed(texts)


def main() -> None:
    """Drains the inbox for ever."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dies-after")
    parser.add_argument("--folds", action="store_true")
    parser.add_argument("--counts", type=Path)
    asked = parser.parse_args()
    embedder = HashingEmbedder()
    contract = TrustingContract(embedder.dimensions, embedder.max_tokens)
    tools = Tools(embedder, Chunker(embedder.tokenizer(), embedder.max_tokens), contract)
    store = open_store(str(asked.folder), asked.folder)
    with store.lease("writer") as lease:
        lease.acquire(lambda: None)
        if asked.dies_after:
            die_after(asked.dies_after)
        publisher = Publisher(store, tools)
        publisher.take_over()
        print("ready", flush=True)
        drain = Drain(store, publisher, lambda: False, lambda _: None)
        bundled = {BUNDLED: Counting(embedder_of(Recipe(), Settings()), asked.counts)} if asked.counts else {}
        workshop = Workshop(tools, bundled)
        errands, rebuilding = Errands(drain, workshop, asked.folder), Rebuilding(drain, workshop, Gate())
        while True:
            errands.go_on()
            rebuilding.go_on()
            if not drain.next_batch():
                sleep(0.005)
            elif asked.folds:
                drain.rest()
                drain.upkeep.finish()
            drain.keep_up()


if __name__ == "__main__":
    main()
