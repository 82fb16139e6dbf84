"""Moving what is served."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from index.documents import Draft
from index.errors import Conflict, NotFound, Unavailable
from index.store import Store
from tasks.prepare import Tools
from tasks.rollback import Moved, held_documents, move_live, target_of_rollback
from tests.bench import Bench, trusting_tools
from tests.fakes import HashingEmbedder


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an index whose releases 2, 3 and 4 add one document each."""
    embedder = HashingEmbedder()
    bench = Bench.open(tmp_path_factory.mktemp("history"), trusting_tools(embedder), embedder)
    for doc_id in ("a", "b", "c"):
        bench.put(doc_id, f"text of {doc_id}")
    return bench.store.folder


@pytest.fixture
def history(tmp_path: Path, indexed: Path, tools: Tools, embedder: HashingEmbedder) -> Bench:
    shutil.copytree(indexed, tmp_path / "index")
    return Bench.open(tmp_path / "index", tools, embedder)


def test_a_rollback_without_a_target_goes_one_back_or_to_a_proven_release(history: Bench):
    log = history.store.log
    assert target_of_rollback(log, None, None) == 3
    log.append("proven", 2, "evaluate")
    assert target_of_rollback(log, None, None) == 2


def test_a_rollback_to_a_time_goes_to_what_was_newest_then(history: Bench):
    log = history.store.log
    assert target_of_rollback(log, None, log.get(4).created_at) == 3
    assert target_of_rollback(log, None, datetime.now(UTC) + timedelta(days=1)) == 4
    with pytest.raises(Conflict, match="no release from before 2020-01-01T00:00:00"):
        target_of_rollback(log, None, datetime(2020, 1, 1, tzinfo=UTC))


def test_a_rollback_to_a_release_needs_that_release(history: Bench):
    log = history.store.log
    assert target_of_rollback(log, 2, None) == 2
    with pytest.raises(NotFound):
        target_of_rollback(log, 9, None)
    log.append("reclaimed", 0, "maintain", detail={"releases": [2]})
    with pytest.raises(Conflict):
        target_of_rollback(log, 2, None)


def test_rolling_back_pins_and_resuming_follows(history: Bench):
    assert move_live(history.store, "rolled_back", 2, "admin", "bad text") == Moved(live=2, was=4, pinned=True)
    assert history.found("text") == ["a"]
    assert history.store.log.events[-1].reason == "bad text"
    assert move_live(history.store, "resumed", 4, "admin", "") == Moved(live=4, was=2, pinned=False)
    assert sorted(history.found("text")) == ["a", "b", "c"]
    assert history.store.log.events[-1].reason is None


def test_promoting_the_newest_follows_and_any_other_pins(history: Bench):
    assert move_live(history.store, "promoted", 3, "admin", "") == Moved(live=3, was=4, pinned=True)
    assert move_live(history.store, "promoted", 4, "admin", "") == Moved(live=4, was=3, pinned=False)


def test_a_release_that_was_reclaimed_meanwhile_is_never_made_live(history: Bench):
    history.store.log.append("reclaimed", 0, "maintain", detail={"releases": [2]})
    with pytest.raises(Conflict, match="release 2 was reclaimed"):
        move_live(history.store, "rolled_back", 2, "admin", "")
    assert history.store.log.state.live == 4


def test_before_the_first_release_nothing_can_be_moved(store: Store):
    with pytest.raises(Unavailable):
        move_live(store, "rolled_back", 1, "admin", "")


def test_held_are_the_documents_whose_newest_revision_is_not_served(history: Bench):
    assert held_documents(history.store) == 0
    move_live(history.store, "rolled_back", 2, "admin", "")
    assert held_documents(history.store) == 2
    history.accept(Draft("d", content=b"waits"))
    assert held_documents(history.store) == 3


def test_a_deletion_holds_in_each_release_and_holds_nothing_back(history: Bench):
    history.delete("a")
    move_live(history.store, "rolled_back", 4, "admin", "")
    assert held_documents(history.store) == 0
