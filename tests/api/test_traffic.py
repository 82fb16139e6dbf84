"""Questions are kept out of everybody's way, and nothing fails with that."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep

import pytest

from api import traffic
from api.traffic import Traffic
from index import tables
from index.canaries import CanaryRun
from index.queries import Asked, Queries
from tasks.language import language_of
from tasks.retrieve import Query, Retrieved
from tests.api.running import RunningApi
from tests.fakes import HashingEmbedder

EMBEDDER = HashingEmbedder()
NOTHING = Retrieved(3, datetime(2026, 3, 1, tzinfo=UTC), (), (), {"embed": 0.0, "search": 0.0, "total": 0.0})


@pytest.fixture(autouse=True, scope="module")
def languages() -> None:
    """Loads what tells them: a second of work that must not fall into a test."""
    language_of(traffic.WARM_UP, 1)


@pytest.fixture
def queries(tmp_path: Path) -> Queries:
    return Queries(tables.connect(str(tmp_path)))


def ask(noting: Traffic, times: int) -> None:
    for number in range(times):
        noting.saw_search(Query(f"question {number}"), NOTHING, EMBEDDER, "ann")


@pytest.mark.thorough
def test_what_is_asked_over_http_is_kept_with_what_was_found(own: RunningApi):
    own.start_ingester()
    own.put("mine", "The great copper mine is in Falun.", metadata={"lang": "en"})
    key = own.keys.create("reader", "ann", None, {"metadata.lang": "en"})
    own.post("/v1/search", {"query": "Where is the copper mine?"})
    own.post("/v1/search", {"query": "copper", "mode": "text", "k": 3}, key=key[1])
    answer = own.post("/v1/answers", {"question": "Where is the great copper mine?"}).json
    own.platform.traffic.stop()
    own.until(lambda: own.platform.traffic.logged == 3)
    search, text, answered = own.store.queries.tail(9).to_pylist()
    assert (search["text"], search["kind"], search["mode"], search["hits"]) == ("Where is the copper mine?", "search", "hybrid", 1)
    assert (search["doc_ids"], search["scores"], search["filtered"], search["embedder"]) == (["mine"], [1.0], False, "hashing64")
    assert (len(search["vector"]), 0 < search["best"] < 1, search["language"], search["tokens"]) == (64, True, "en", 6)
    assert (text["vector"], text["best"], text["k"], text["filtered"], text["key"]) == (None, None, 3, True, key[0].id)
    assert (answered["kind"], answered["grounded"], answered["answer_id"]) == ("answer", answer["grounded"], answer["id"])
    assert key[1] not in own.store.queries.tail(9).to_pandas().to_string()


def test_a_share_of_them_is_kept_and_none_when_it_is_off(queries: Queries):
    for share, kept in ((0.0, 0), (0.25, 24)):
        noting = Traffic(queries, share, random.Random(1))
        noting.start()
        ask(noting, 100)
        noting.stop()
        assert (noting.logged, noting.without_hits) == (kept, 1.0)
    assert queries.count() == 24


def test_what_is_left_is_written_at_the_end(queries: Queries):
    noting = Traffic(queries, 1.0)
    noting.start()
    ask(noting, 3)
    noting.stop()
    assert queries.tail(9)["text"].to_pylist() == ["question 0", "question 1", "question 2"]


def test_many_are_written_soon_and_in_few_commits(queries: Queries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(traffic, "WRITE_EVERY_S", 60.0)
    noting = Traffic(queries, 1.0)
    noting.start()
    ask(noting, 2 * traffic.WRITE_ROWS)
    RunningApi.until(lambda: noting.logged >= traffic.WRITE_ROWS)
    noting.stop()
    assert queries.count() == 400
    assert len(tables.open_existing(tables.connect(str(tmp_path)), "queries").to_lance().get_fragments()) <= 4


@pytest.mark.thorough
def test_a_steady_stream_of_questions_is_written_now_and_then_and_not_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    commits: list[int] = []

    class Counted(Queries):
        def write(self, rows: Sequence[Asked]) -> None:
            commits.append(len(rows))
            sleep(0.02)

    monkeypatch.setattr(traffic, "WRITE_EVERY_S", 0.5)
    noting = Traffic(Counted(tables.connect(str(tmp_path))), 1.0)
    noting.start()
    until = monotonic() + 1.2
    while monotonic() < until:
        ask(noting, 1)
        sleep(0.005)
    assert 1 <= len(commits) <= 3
    noting.stop()
    assert sum(commits) == noting.logged


def test_too_many_are_dropped_and_counted(queries: Queries):
    noting = Traffic(queries, 1.0)
    ask(noting, traffic.WAITING + 5)
    assert (noting.dropped, noting.logged) == (5, 0)


def test_a_log_that_can_not_be_written_fails_no_question(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    class Full(Queries):
        def write(self, rows: Sequence[Asked]) -> None:
            raise OSError("no space left on the device")

    watching = Traffic(Full(tables.connect(str(tmp_path))), 1.0)
    watching.start()
    ask(watching, 2)
    watching.stop()
    assert (watching.dropped, watching.logged) == (2, 0)
    assert "2 questions could not be written down: no space left on the device" in caplog.text


def test_the_metrics_tell_what_is_known_and_nothing_else(own: RunningApi):
    assert "groundwork_searches_without_hits_share" not in own.get("/metrics").text
    own.start_ingester().put("mine", "The great copper mine is in Falun.")
    own.post("/v1/search", {"query": "copper"})
    own.post("/v1/search", {"query": "zeppelin", "mode": "text"})
    own.post("/v1/answers", {"question": "What do quantum chromodynamics lattices weigh?"})
    now = datetime.now(UTC)
    run = CanaryRun(now, 2, ("a", "b", "c"), (1.0, 0.5, float("nan")), (0.9, 0.8, float("nan")), 0.1)
    own.store.canary_runs.write(replace(run, at=now - timedelta(hours=1), ranks=(0.0, 0.0, 0.0)))
    own.store.canary_runs.write(run)
    text = own.get("/metrics").text
    assert "groundwork_searches_without_hits_share 0.5" in text
    assert "groundwork_answers_not_grounded_share 1.0" in text
    assert "groundwork_canary_mean_reciprocal_rank 0.75" in text
    assert "groundwork_canaries_measured 2.0" in text
    assert "groundwork_queries_dropped_total 0.0" in text
