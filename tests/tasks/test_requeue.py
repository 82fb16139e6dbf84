"""A rollback that takes the head back too: what came since goes through the pipeline again."""

from dataclasses import replace

import pytest

from index.documents import Draft
from index.errors import Conflict
from index.vectors import Vectors
from tasks import requeue
from tasks.publish import Publisher
from tests.bench import Bench
from tests.fakes import HashingEmbedder


def go_back(bench: Bench, release: int) -> None:
    """Asks for it, and follows as the ingester would."""
    requeue.requeue(bench.store, bench.publisher, bench.tools, requeue.ask(bench.store, release, "admin", "a test"))
    bench.reader.follow()


def rows(bench: Bench) -> dict[str, list[tuple[str, str, int]]]:
    """What the newest release shows, by document."""
    bench.reader.follow()
    view = bench.reader.view()
    return {
        doc_id: [(chunk.chunk_id, chunk.text, chunk.revision) for chunk in view.chunks_of(doc_id)] for doc_id in sorted(view.passages())
    }


@pytest.mark.thorough
def test_what_was_added_and_changed_since_waits_again_and_is_as_it_was(bench: Bench):
    bench.put("changed", "An old text about apples.")
    back = bench.live.number
    bench.put("changed", "A new text about pears.")
    bench.put("added", "Something about plums.")
    before = rows(bench)
    go_back(bench, back)
    assert {doc_id: [text for _, text, _ in found] for doc_id, found in rows(bench).items()} == {"changed": ["An old text about apples."]}
    assert requeue.debt(bench.store) == requeue.Debt(2, 2)
    bench.drain()
    assert rows(bench) == before
    assert requeue.debt(bench.store) is None


@pytest.mark.thorough
def test_what_was_deleted_since_is_not_shown_for_a_moment(bench: Bench):
    bench.put("gone", "A secret about apples.")
    bench.put("stays", "A text about apples.")
    back = bench.live.number
    bench.delete("gone")
    go_back(bench, back)
    assert list(rows(bench)) == ["stays"]
    assert bench.found("apples", release=back) == ["stays"]
    assert bench.store.ledger.get(["gone"])["gone"].state == "deleted"


@pytest.mark.thorough
def test_what_was_deleted_and_added_again_since_does_not_show_its_old_text(bench: Bench):
    bench.put("again", "The old text about apples.")
    back = bench.live.number
    bench.delete("again")
    bench.put("again", "The new text about pears.")
    go_back(bench, back)
    assert rows(bench) == {}
    bench.drain()
    assert [text for _, text, _ in rows(bench)["again"]] == ["The new text about pears."]


@pytest.mark.thorough
def test_what_is_accepted_meanwhile_is_newer(bench: Bench):
    bench.put("a", "First text.")
    back = bench.live.number
    bench.put("a", "Second text.")
    asked = requeue.ask(bench.store, back, "admin", "")
    bench.accept(Draft("a", content=b"Third text."))
    requeue.requeue(bench.store, bench.publisher, bench.tools, asked)
    bench.drain()
    assert [text for _, text, _ in rows(bench)["a"]] == ["Third text."]


class Faulty(HashingEmbedder):
    """The same model by its name, which gives every text the same vector."""

    def embed(self, texts: list[str]) -> Vectors:
        return super().embed(["fault"] * len(texts))


@pytest.mark.parametrize("documents", [50, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.thorough
def test_after_a_bad_batch_the_index_is_as_if_it_had_never_had_the_fault(bench: Bench, documents: int):
    bench.put("before", "A text about apples.")
    back = bench.live.number
    bad = replace(bench, tools=replace(bench.tools, embedder=Faulty()))
    bad.ingest(*(Draft(f"d{number}", content=f"Text number {number} about pears.".encode()) for number in range(documents)))
    go_back(bench, back)
    bench.drain()
    view, stored = bench.reader.view(), bench.store.existing_chunk_table(bench.live.generation)
    assert view.release.rows == documents + 1
    for number in range(documents):
        [chunk] = stored.of_documents([f"d{number}"])[f"d{number}"]
        vector = stored.vectors_of([chunk.text_hash])[chunk.text_hash]
        assert chunk.text == f"Text number {number} about pears."
        assert float(vector @ bench.embedder.embed_query(chunk.text)) > 0.99


def killed(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.thorough
def test_a_kill_before_the_release_changes_nothing_and_it_is_done_again(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    bench.put("a", "First text.")
    back = bench.live.number
    bench.put("a", "Second text.")
    before = rows(bench)
    asked = requeue.ask(bench.store, back, "admin", "")
    monkeypatch.setattr(Publisher, "publish_restored", killed)
    with pytest.raises(KeyboardInterrupt):
        requeue.requeue(bench.store, bench.publisher, bench.tools, asked)
    monkeypatch.undo()
    bench.publisher.take_over()
    assert rows(bench) == before
    assert requeue.pending(bench.store.log) == asked
    requeue.requeue(bench.store, bench.publisher, bench.tools, asked)
    assert requeue.pending(bench.store.log) is None
    bench.drain()
    assert [text for _, text, _ in rows(bench)["a"]] == ["Second text."]


@pytest.mark.thorough
def test_an_alias_whose_original_came_since_is_found_again(bench: Bench):
    text = " ".join(f"word{number}" for number in range(200))
    back = bench.live.number
    bench.put("first", text)
    bench.put("second", text + " and more")
    before = rows(bench)
    go_back(bench, back)
    bench.drain()
    assert rows(bench) == before
    assert bench.store.ledger.get(["second"])["second"].duplicate_of == "first"


def test_a_release_of_which_the_ledger_is_not_kept_can_not_be_gone_back_to(bench: Bench):
    bench.put("a", "First text.")
    back = bench.live.number
    bench.store.ledger.untag(back)
    with pytest.raises(Conflict, match="is not kept: roll back without requeue"):
        requeue.ask(bench.store, back, "admin", "")
