"""`kill -9` in the middle of a rebuild, of going back, of a purge: the next ingester finishes it, and nothing is lost, doubled or left."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest

from index.documents import Draft
from index.recipe import Recipe
from index.store import Store, open_store
from tasks import purge, requeue, wish
from tests.bench import Bench
from tests.proofs.test_ingest_crashes import drain, exactly, killed_after, served, start

LONG = " ".join(f"Sentence {number} tells of the old orchard by the river." for number in range(20))
SECRET = "The vault of the harbour bank opens with xylophonic zeppelins."
BEFORE = {"kept": "kept as it was", "changed": "old words", "removed": "words to remove"}
AFTER = {"kept": "kept as it was", "changed": "new words", "added": "added words"}
GOING_BACK = [
    *("Inbox.put_back", "Ledger.burials", "ChunkTable.restore", "Ledger.restore", "Publisher.go_back", "prepare", "Ledger.write"),
    *("Ledger.bury", "ReleaseLog._insert", "Publisher.publish", "requeue", "Inbox.acknowledge"),
]
REBUILDING = [
    *("Rebuild._open", "Rebuild._look", "ChunkTable.upsert", "ChunkTable.ensure_full_text", "Rebuilt.note", "Rebuild.step"),
    *("Publisher.offer", "ReleaseLog.keep", "Ledger.set_chunks", "Publisher.serve", "Rebuilt.drop", "Rebuild.serve", "end"),
]
PURGING = [
    *("strings_of", "ChunkTable.erase_deleted", "Ledger.erase_deleted", "Publisher.publish_maintenance", "_clean", "Originals.drop"),
    *("Answers.drop_of", "search", "purge"),
]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def filled(bench: Bench) -> Bench:
    """BEFORE, then AFTER, one document a release."""
    for doc_id, text in BEFORE.items():
        bench.put(doc_id, text)
    bench.accept(Draft("changed", content=b"new words"), Draft("removed", "delete"), Draft("added", content=b"added words"))
    drain(bench)
    return bench


def finished(folder: Path, done: Callable[[Store], bool]) -> None:
    """Lets a fresh ingest loop work until it is done."""
    store = open_store(str(folder), folder)
    with start(folder) as process:
        until = monotonic() + 60
        while not (done(store) and store.inbox.is_empty()):
            assert monotonic() < until, "it does not come to an end"
            sleep(0.1)
            store.log.refresh()
        process.kill()


@pytest.mark.parametrize("step", GOING_BACK)
def test_killed_while_it_goes_back_the_next_one_does_and_what_came_since_is_there_again(filled: Bench, step: str):
    requeue.ask(filled.store, 4, "admin", "a test")
    folder = filled.store.folder
    killed_after(folder, step)
    shown = served(folder, BEFORE | AFTER)
    assert "removed" not in shown
    assert shown.get("kept") == ["kept as it was"]
    finished(folder, lambda store: requeue.pending(store.log) is None)
    assert served(folder, BEFORE | AFTER) == exactly(AFTER)
    assert requeue.debt(open_store(str(folder), folder)) is None


@pytest.mark.parametrize("step", REBUILDING)
def test_killed_while_it_rebuilds_the_next_one_goes_on_and_serves_it(filled: Bench, step: str):
    filled.put("long", LONG)
    asked = wish.ask(filled.store.log, Recipe(chunk_tokens=64), Recipe(), "admin", "a test")
    folder = filled.store.folder
    killed_after(folder, step)
    assert set(served(folder, AFTER | {"long": LONG})) == {*AFTER, "long"}
    finished(folder, lambda store: wish.get(store.log, asked.id).state != "running")
    store = open_store(str(folder), folder)
    assert wish.get(store.log, asked.id).state == "done"
    shown = served(folder, AFTER | {"long": LONG})
    assert {doc_id: texts for doc_id, texts in shown.items() if doc_id != "long"} == exactly(AFTER)
    assert len(shown["long"]) > 1
    assert store.log.live().rows == len(AFTER) + len(shown["long"])


@pytest.mark.parametrize("step", PURGING)
def test_killed_while_it_purges_the_next_one_leaves_no_byte(filled: Bench, step: str):
    filled.put("secret", SECRET)
    purge.ask(filled.store.log, "secret", "admin")
    filled.accept(Draft("secret", "delete"))
    folder = filled.store.folder
    killed_after(folder, step)
    assert "secret" not in served(folder, AFTER | {"secret": SECRET})
    finished(folder, lambda store: not purge.pending(store.log))
    assert served(folder, AFTER | {"secret": SECRET}) == exactly(AFTER)
    assert not [path for path in folder.rglob("*") if path.is_file() and b"xylophon" in path.read_bytes()]
