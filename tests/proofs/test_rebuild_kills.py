"""`kill -9` ten times during a long rebuild with the real model: what is embedded twice is little."""

import random
import re
from pathlib import Path
from pydoc_data.topics import topics
from time import monotonic, sleep

import pytest

from index.documents import Draft
from index.progress import RebuildProgress
from index.recipe import Recipe
from index.store import open_store
from tasks import wish
from tests.bench import Bench
from tests.proofs.ingest_loop import BUNDLED
from tests.proofs.test_ingest_crashes import drain, start

DOCUMENTS = 10_000
AT_ONCE = 1_000
KILLS = 10
WORDS = 90
AGAIN = 0.02
LONGEST_S = 3000.0
VOCABULARY = sorted(set(re.findall("[a-z]{4,}", " ".join(topics.values()))))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def text_of(number: int) -> bytes:
    """About as long as a passage, and like no other."""
    chosen = random.Random(number)
    return f"Report {number}: {' '.join(chosen.choices(VOCABULARY, k=WORDS))}.".encode()


def filled(bench: Bench) -> None:
    """Takes the documents in, and folds between batches as the ingester does."""
    for first in range(0, DOCUMENTS, AT_ONCE):
        bench.accept(*(Draft(f"d/{number}", content=text_of(number)) for number in range(first, first + AT_ONCE)))
        drain(bench)
        bench.publisher.table.fold()
        bench.publisher.publish_maintenance()


def done(folder: Path) -> int:
    """How many documents the rebuild has done, as it says itself."""
    told = RebuildProgress(folder).read()
    return told.done if told and told.of == DOCUMENTS else 0


def killed_at(folder: Path, counts: Path, documents: float) -> None:
    """Lets an ingest loop rebuild until so many documents are done, and kills it at any moment after."""
    with start(folder, "--counts", str(counts)) as process:
        until = monotonic() + LONGEST_S
        while done(folder) < documents:
            assert monotonic() < until
            sleep(0.05)
        sleep(random.Random(documents).random())
        process.kill()


def test_ten_kills_during_a_rebuild_embed_at_most_two_percent_again(bench: Bench, tmp_path: Path):
    filled(bench)
    asked = wish.ask(bench.store.log, BUNDLED, Recipe(), "admin", "a test")
    folder, counts = bench.store.folder, tmp_path / "counts"
    for kill in range(KILLS):
        killed_at(folder, counts, DOCUMENTS * (kill + 0.5) / (KILLS + 1))
    store = open_store(str(folder), folder)
    with start(folder, "--counts", str(counts)) as process:
        until = monotonic() + LONGEST_S
        while wish.get(store.log, asked.id).state == "running":
            assert monotonic() < until
            sleep(0.2)
            store.log.refresh()
        process.kill()
    store.log.refresh()
    embedded, rows = sum(map(int, counts.read_text().split())), store.log.live().rows
    print(f"{rows} passages, {embedded} embedded: {embedded / rows - 1:.2%} more over {KILLS} kills")
    assert wish.get(store.log, asked.id).state == "done"
    assert rows == DOCUMENTS
    assert embedded <= (1 + AGAIN) * rows
