"""Stored evaluations: scores in lists, questions only when one is asked for."""

from datetime import UTC, datetime
from pathlib import Path

from index import tables
from index.evaluations import PIECES, Evaluation, Evaluations, Score, as_json

NDCG = Score("nDCG@10", 0.7, 0.6, 0.8, measured=60, of=62)
UNMEASURED = Score("faithfulness", None, None, None, measured=0, of=62)


def evaluation(identifier: str, day: int) -> Evaluation:
    moment = datetime(2026, 1, day, tzinfo=UTC)
    questions = ({"question": "Who's there?", "nDCG@10": 1.0},)
    return Evaluation(identifier, 3, "default", "completed", None, moment, moment, (NDCG, UNMEASURED), questions)


def test_an_evaluation_is_read_back_by_its_id(tmp_path: Path):
    Evaluations(tables.connect(str(tmp_path))).write(evaluation("it's one", 1))
    found = Evaluations(tables.connect(str(tmp_path))).get("it's one")
    assert found == evaluation("it's one", 1)
    assert found.score("nDCG@10") == NDCG
    assert found.score("MRR") is None


def test_an_unknown_or_unfinished_evaluation_is_none(tmp_path: Path):
    assert Evaluations(tables.connect(str(tmp_path))).get("missing") is None


def test_the_list_is_newest_first_and_without_questions(tmp_path: Path):
    evaluations = Evaluations(tables.connect(str(tmp_path)))
    for identifier, day in (("a", 2), ("b", 3), ("c", 1)):
        evaluations.write(evaluation(identifier, day))
    assert [found.id for found in evaluations.all()] == ["b", "a", "c"]
    assert {found.questions for found in evaluations.all()} == {()}


def test_writing_it_again_replaces_it(tmp_path: Path):
    evaluations = Evaluations(tables.connect(str(tmp_path)))
    evaluations.write(evaluation("a", 1))
    evaluations.write(evaluation("a", 2))
    assert [found.ended_at.day for found in evaluations.all()] == [2]


def test_evaluations_lose_their_questions_or_go(tmp_path: Path):
    evaluations = Evaluations(tables.connect(str(tmp_path)))
    for identifier, day in (("a", 1), ("it's b", 2), ("c", 3)):
        evaluations.write(evaluation(identifier, day))
    assert (evaluations.bare(["it's b", "unknown"]), evaluations.drop(["c", "unknown"])) == (1, 1)
    assert (evaluations.bare(["it's b"]), evaluations.drop(["c"]), evaluations.drop([]), evaluations.bare([])) == (0, 0, 0, 0)
    found = evaluations.get("it's b")
    assert (found and found.scores, found and found.questions) == ((NDCG, UNMEASURED), ())
    assert evaluations.get("a") == evaluation("a", 1)
    assert evaluations.get("c") is None


def test_small_pieces_become_one_when_they_are_many(tmp_path: Path):
    evaluations = Evaluations(tables.connect(str(tmp_path)))
    told = []
    for number in range(PIECES):
        told.append(evaluations.fold())
        evaluations.write(evaluation(f"{number}", 1))
    assert (any(told), evaluations.fold(), evaluations.fold()) == (False, True, False)
    assert len(evaluations.all()) == PIECES
    assert evaluations.get("0") == evaluation("0", 1)


def test_scores_are_plain_json():
    assert as_json([NDCG]) == [{"metric": "nDCG@10", "value": 0.7, "low": 0.6, "high": 0.8, "measured": 60, "of": 62, "covered": True}]
