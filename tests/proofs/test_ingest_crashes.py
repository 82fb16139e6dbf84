"""`kill -9` of the ingest loop at any moment: nothing lost, nothing doubled, nothing stale, and no hand needed."""

import random
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic, sleep

import pytest

from flows.ingest import Drain
from index.documents import Draft
from index.store import open_store
from tests.bench import Bench
from tests.proofs.platform import ROOT

KILLS = 100
DOCUMENTS = 60
# What a batch does, in order; after the first four nothing is written to a table yet.
STEPS = [
    "Lanes.next_piece", "ChunkTable.of_documents", "Originals.put_all", "parse", "Chunker.chunks", "HashingEmbedder.embed", "prepare",
    "ChunkTable.upsert", "ChunkTable.delete", "ChunkTable.ensure_full_text", "Publisher._check", "Ledger.write", "Ledger.bury",
    "Publisher._look_for_canaries", "ChunkTable.tag", "ReleaseLog._insert", "ReleaseLog.append", "Ledger.tag", "Publisher.publish",
    "Inbox.acknowledge",
]  # fmt: skip
FOLDING = ["optimize", "ChunkTable.fold", "Ledger.fold", "Publisher.publish_maintenance", "Upkeep.begin", "Upkeep._fold", "Upkeep.finish"]
RECOVERY = ["ChunkTable.restore", "Ledger.restore", "Publisher.take_over"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """An ingest loop in a process of its own."""
    command = [sys.executable, "-m", "tests.proofs.ingest_loop", str(folder), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def drain(bench: Bench) -> None:
    """Ingests all that waits, in this process."""
    draining = Drain(bench.store, bench.publisher, lambda: False, sleep)
    while not bench.store.inbox.is_empty():
        draining.next_batch()
    bench.reader.follow()


def served(folder: Path, doc_ids: Mapping[str, object]) -> dict[str, list[str]]:
    """The text of each passage of the live release by document, for those documents that it shows."""
    reader = open_store(str(folder), folder).reader()
    reader.follow()
    view = reader.view()
    passages = {doc_id: [chunk.text for chunk in view.chunks_of(doc_id)] for doc_id in doc_ids}
    return {doc_id: texts for doc_id, texts in passages.items() if texts}


def exactly(wanted: Mapping[str, str]) -> dict[str, list[str]]:
    """Each document once."""
    return {doc_id: [text] for doc_id, text in wanted.items()}


BEFORE = {"kept": "kept as it was", "changed": "old words", "removed": "words to remove"}
AFTER = {"kept": "kept as it was", "changed": "new words", "added": "added words"}


@pytest.fixture
def interrupted(bench, tmp_path):
    """An index that serves BEFORE, and an inbox whose writes lead to AFTER."""
    for doc_id, text in BEFORE.items():
        bench.put(doc_id, text)
    bench.accept(Draft("changed", content=b"new words"), Draft("removed", "delete"), Draft("added", content=b"added words"))
    return tmp_path / "index"


def killed_after(folder: Path, step: str, *more: str) -> None:
    """Lets an ingest loop work until it dies at the step."""
    with start(folder, "--dies-after", step, *more) as process:
        assert process.wait(120) == -signal.SIGKILL, f"{step} was never reached"


@pytest.mark.parametrize("step", STEPS)
def test_killed_after_a_step_readers_see_a_whole_state_and_the_next_ingester_finishes(interrupted, tools, embedder, step):
    killed_after(interrupted, step)
    shown = served(interrupted, BEFORE | AFTER)
    hidden_early = {doc_id: texts for doc_id, texts in exactly(BEFORE).items() if doc_id != "removed"}
    assert shown in (exactly(BEFORE), hidden_early, exactly(AFTER))
    bench = Bench.open(interrupted, tools, embedder)
    drain(bench)
    assert served(interrupted, BEFORE | AFTER) == exactly(AFTER)
    assert bench.live.rows == len(AFTER)
    assert bench.found("words to remove", release=4, mode="text", filter={"doc_id": "removed"}) == []


@pytest.mark.parametrize("step", RECOVERY)
def test_killed_while_it_cleans_up_after_a_killed_one_nothing_is_lost(interrupted, tools, embedder, step):
    killed_after(interrupted, "Ledger.write")
    killed_after(interrupted, step)
    assert served(interrupted, BEFORE | AFTER) == exactly(BEFORE)
    drain(Bench.open(interrupted, tools, embedder))
    assert served(interrupted, BEFORE | AFTER) == exactly(AFTER)


@pytest.mark.parametrize("step", FOLDING)
def test_killed_while_it_folds_readers_see_the_batch_and_the_next_ingester_goes_on(interrupted, tools, embedder, step):
    killed_after(interrupted, step, "--folds")
    assert served(interrupted, BEFORE | AFTER) == exactly(AFTER)
    bench = Bench.open(interrupted, tools, embedder)
    bench.put("later", "later words")
    bench.publisher.table.fold()
    bench.publisher.publish_maintenance()
    assert served(interrupted, {**BEFORE, **AFTER, "later": ""}) == exactly({**AFTER, "later": "later words"})
    assert bench.found("new words", mode="text")[0] == "changed"


def test_killed_a_hundred_times_at_random_every_document_is_there_once_as_it_was_last_written(tools, embedder, tmp_path):
    chance = random.Random(7)
    folder = tmp_path / "index"
    inbox = open_store(str(folder), folder).inbox
    written: dict[str, str] = {}
    names = {f"d{n}": "" for n in range(DOCUMENTS)}
    count = 0
    for _ in range(KILLS):
        with start(folder) as process:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            until = monotonic() + chance.uniform(0, 0.8)
            while monotonic() < until:
                doc_id = chance.choice(list(names))
                if chance.random() < 0.3:
                    inbox.accept([Draft(doc_id, "delete")])
                    written.pop(doc_id, None)
                else:
                    count += 1
                    written[doc_id] = f"words of write number {count}"
                    inbox.accept([Draft(doc_id, content=written[doc_id].encode())])
            process.kill()
    bench = Bench.open(folder, tools, embedder)
    drain(bench)
    assert served(folder, names) == exactly(written)
    assert bench.live.rows == len(written)
    assert count > KILLS
    states = {entry.doc_id: entry.state for entry in bench.store.ledger.page(None, "", 1000)}
    assert {doc_id for doc_id, state in states.items() if state == "indexed"} == set(written)
    gone = [doc_id for doc_id, state in states.items() if state == "deleted"]
    for release in bench.store.log.kept():
        view = bench.reader.view(release.number)
        assert [doc_id for doc_id in gone if view.chunks_of(doc_id)] == [], release.number
