"""Deleted means deleted: after a purge no file has a byte of it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from index.answers import AnswerRecord, Passage, new_id
from index.canaries import Canary
from index.errors import Conflict
from index.feedback import Feedback
from index.golden import GoldenQuestion
from index.golden import Passage as Quoted
from tasks import purge
from tasks.purge import Purged
from tasks.traces import search, strings_of
from tests.bench import Bench
from tests.index.test_queries import QUESTION

SECRET = "The vault of the harbour bank opens with xylophonic zeppelins."
OTHER = "The ferry leaves at nine."


def purged(bench: Bench, doc_id: str) -> Purged:
    """Deletes and purges, as the ingester would."""
    asked = purge.ask(bench.store.log, doc_id, "admin")
    assert not purge.is_due(bench.store, asked)
    bench.delete(doc_id)
    assert purge.is_due(bench.store, asked)
    return purge.purge(bench.store, bench.publisher, bench.store.folder, asked, lambda _: None)


def holding(folder: Path, needle: str) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and needle.encode() in path.read_bytes()]


def test_no_file_has_its_text_its_words_or_its_bytes(bench: Bench):
    bench.put("other", OTHER)
    bench.put("secret", SECRET + " An older sentence with quixotic marmalade.", title="Xanthippe")
    bench.put("secret", SECRET, title="Xanthippe")
    bench.publisher.table.fold()
    bench.publisher.publish_maintenance()
    for word in (SECRET, "xylophon", "quixot", "Xanthippe"):
        assert holding(bench.store.folder, word), word
    found = purged(bench, "secret")
    for word in (SECRET, "xylophon", "quixot", "marmalad", "Xanthippe", "xanthipp"):
        assert not holding(bench.store.folder, word), word
    assert (found.searched.found, found.searched.strings > 0, found.searched.files > 10, found.originals) == ((), True, True, 1)
    bench.reader.follow()
    assert bench.found("ferry leaves") == ["other"]
    assert bench.live.rows == 1


@pytest.mark.thorough
def test_it_says_which_releases_it_had_to_drop_and_the_live_one_stays(bench: Bench):
    bench.put("secret", SECRET)
    before = bench.live.number
    found = purged(bench, "secret")
    bench.reader.follow()
    assert set(found.releases) >= {1, before}
    assert bench.store.log.get(before).status == "reclaimed"
    assert bench.live.number > before
    told = purge.result_of(bench.store.log, "secret")
    assert told is not None
    assert (tuple(told["releases"]), told["searched"]["found"]) == (found.releases, [])
    assert purge.pending(bench.store.log) == []


@pytest.mark.thorough
def test_the_same_bytes_of_another_document_stay_and_it_says_so(bench: Bench):
    bench.put("one", OTHER)
    bench.put("two", OTHER)
    found = purged(bench, "one")
    assert (found.originals, found.shared, found.searched.found != ()) == (0, 1, True)
    bench.reader.follow()
    assert bench.found("ferry") == ["two"]


@pytest.mark.thorough
def test_records_of_answers_from_it_go_and_others_stay(bench: Bench):
    bench.put("secret", SECRET)
    ids = {}
    for doc_id in ("secret", "other"):
        ids[doc_id] = new_id(bench.live.created_at)
        facts = {"question": "?", "k": 1, "filter": {}, "always": {}, "release": 1, "generation": "g", "embedder": "e", "search": {}}
        made = {"generator": "x", "prompt": None, "answer": doc_id, "grounded": True, "citations": [], "degraded": []}
        record = AnswerRecord(ids[doc_id], "2026-01-01", "key", **facts, **made, passages=(Passage("c", doc_id, "", 1.0),))
        bench.store.answers.write(record)
    assert purged(bench, "secret").answers == 1
    assert bench.store.answers.get(ids["other"]).answer == "other"
    with pytest.raises(Exception, match="there is no answer"):
        bench.store.answers.get(ids["secret"])


@pytest.mark.thorough
def test_golden_questions_and_proposals_forget_what_they_quote_of_it(bench: Bench):
    bench.put("secret", SECRET)
    quoted = (Quoted("secret", SECRET), Quoted("other", OTHER))
    bench.store.golden.put("mine", [GoldenQuestion("q", "What opens the vault?", quoted, "With xylophonic zeppelins.")])
    bench.store.golden.propose("mine", [GoldenQuestion("p", "Who opens it?", (), None, found=quoted)])
    assert holding(bench.store.folder, "xylophonic zeppelins")
    found = purged(bench, "secret")
    assert (found.golden, found.searched.found) == (2, ())
    assert not holding(bench.store.folder, "xylophonic zeppelins")
    assert bench.store.golden.questions("mine") == ()
    assert {each.id: each.passages or each.found for each in bench.store.golden.review("mine")} == {"q": quoted[1:], "p": quoted[1:]}


def test_while_an_older_release_is_pinned_nothing_can_be_purged(bench: Bench):
    bench.put("secret", SECRET)
    bench.store.log.append("rolled_back", 1, "admin")
    with pytest.raises(Conflict, match="release 1 is pinned"):
        purge.ask(bench.store.log, "secret", "admin")


def test_what_is_left_is_found(tmp_path: Path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "left.bin").write_bytes(b"\x00\x01" + SECRET.encode() + b"\xff")
    (tmp_path / "empty").touch()
    found = search(tmp_path, strings_of([SECRET], []))
    assert (found.files, found.found) == (2, ("below/left.bin",))


@pytest.mark.thorough
def test_questions_comments_and_canaries_with_its_words_go_too(bench: Bench):
    bench.put("other", OTHER)
    bench.put("secret", SECRET)
    now = datetime.now(UTC)
    bench.store.queries.write([replace(QUESTION, id="a", text=f"Is it so that {SECRET}"), replace(QUESTION, id="b", text="Is it so?")])
    bench.store.feedback.write(Feedback("answer", now, useful=True, comment=f"Yes: {SECRET}", key="ann", release=2))
    bench.store.canaries.write([Canary("c", "What is xylophonic?", "secret", SECRET, "definition", "h", now)])
    bench.store.canaries.write([Canary("d", "When leaves the ferry?", "other", OTHER, "definition", "h", now)])
    found = purged(bench, "secret")
    assert (found.queries, found.comments, found.canaries, found.searched.found) == (1, 1, 1, ())
    assert bench.store.queries.tail(9)["id"].to_pylist() == ["b"]
    assert [each.comment for each in bench.store.feedback.of("answer")] == [None]
    assert [canary.id for canary in bench.store.canaries.all()] == ["d"]
