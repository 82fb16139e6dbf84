"""The table of asked questions: read by time, bounded by age and number, forgotten by their words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from index import tables
from index.queries import Asked, Queries
from tasks.traces import search

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUESTION = Asked(
    id="q0",
    at=NOON,
    text="Who keeps the otters?",
    vector=np.array([0.6, 0.8], np.float32),
    mode="hybrid",
    release=7,
    k=10,
    filtered=False,
    hits=2,
    best=0.5,
    scores=(1.0, 0.25),
    doc_ids=("zoo", "park"),
    kind="search",
    grounded=None,
    answer_id=None,
    language="en",
    tokens=6,
    unknown=0.25,
    key="abc",
    embedder="mini",
)


def asked(number: int, text: str = "Who?") -> Asked:
    return replace(QUESTION, id=f"q{number}", at=NOON + timedelta(minutes=number), text=text)


@pytest.fixture
def queries(tmp_path: Path) -> Queries:
    return Queries(tables.connect(str(tmp_path)))


def test_a_question_is_read_back_with_all_that_was_found_for_it(queries: Queries):
    queries.write([QUESTION])
    [row] = queries.between(NOON, NOON + timedelta(seconds=1)).to_pylist()
    assert row.pop("vector") == pytest.approx([0.6, 0.8], abs=1e-3)
    assert (row.pop("scores"), row.pop("doc_ids")) == ([1.0, 0.25], ["zoo", "park"])
    assert all(row[name] == getattr(QUESTION, name) for name in row)


def test_vectors_of_several_generations_and_none_stand_side_by_side(queries: Queries):
    queries.write([QUESTION, replace(asked(1), vector=np.ones(3, np.float32), embedder="other"), replace(asked(2), vector=None, best=None)])
    rows = queries.tail(3)
    assert [len(vector or []) for vector in rows["vector"].to_pylist()] == [2, 3, 0]
    assert rows["embedder"].to_pylist() == ["mini", "other", "mini"]


def test_between_takes_the_beginning_and_leaves_the_end_whatever_the_order_of_writing(queries: Queries):
    for number in (3, 1, 2, 0):
        queries.write([asked(number)])
    assert queries.between(NOON + timedelta(minutes=1), NOON + timedelta(minutes=3))["id"].to_pylist() == ["q1", "q2"]
    assert queries.between(NOON + timedelta(hours=1), NOON + timedelta(hours=2)).num_rows == 0


def test_only_the_columns_that_are_asked_for_are_read(queries: Queries):
    queries.write([QUESTION])
    assert queries.between(NOON, NOON + timedelta(hours=1), ["tokens", "at"]).to_pylist() == [{"at": NOON, "tokens": 6}]


def test_the_tail_is_the_newest_oldest_first(queries: Queries):
    assert queries.tail(5).num_rows == 0
    queries.write([asked(number) for number in (4, 2, 3)])
    assert queries.tail(2)["id"].to_pylist() == ["q3", "q4"]
    assert queries.tail(0).num_rows == 0


def test_what_is_old_goes_and_the_oldest_of_too_many(queries: Queries):
    queries.write([asked(number) for number in range(6)])
    assert queries.clean(NOON + timedelta(minutes=1)) == 1
    assert queries.clean(NOON, most=3) == 2
    assert queries.clean(NOON, most=3) == 0
    assert queries.tail(9)["id"].to_pylist() == ["q3", "q4", "q5"]


def test_folding_makes_many_pieces_one_and_keeps_every_row(queries: Queries, tmp_path: Path):
    for number in range(5):
        queries.write([asked(number)])
    queries.fold()
    assert queries.count() == 5
    assert len(tables.open_existing(tables.connect(str(tmp_path)), "queries").to_lance().get_fragments()) == 1


def test_a_question_with_forbidden_words_leaves_no_byte(queries: Queries, tmp_path: Path):
    queries.write([asked(0, "is it true that the moon is cheese?"), asked(1, "Who keeps the otters?")])
    assert search(tmp_path, [b"the moon is cheese"]).found
    assert queries.forget([b"the moon is cheese", b"nothing of this"]) == 1
    assert search(tmp_path, [b"the moon is cheese"]).found == ()
    assert queries.tail(9)["text"].to_pylist() == ["Who keeps the otters?"]


def test_two_handles_write_at_once_and_nothing_is_lost(tmp_path: Path):
    one, other = Queries(tables.connect(str(tmp_path))), Queries(tables.connect(str(tmp_path)))
    for number in range(0, 6, 2):
        one.write([asked(number)])
        other.write([asked(number + 1)])
    assert one.tail(9)["id"].to_pylist() == [f"q{number}" for number in range(6)]
