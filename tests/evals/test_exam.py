"""Scripted judges behind a real endpoint are told apart; the slow tests hold the whole exam, the others a sixth of it."""

from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic

import pytest

from evals import exam, planted
from evals.agreement import Estimate, Position
from evals.exam import Bar, Figures, examine, shortcomings
from evals.judge_metrics import METRICS
from index.evaluations import Evaluation, Score
from index.exams import State
from index.store import open_store
from tests.fakes import HashingEmbedder
from tests.scripted_judges import Decide, ScriptedJudge, first, good, lenient, wrong_at

FEW = planted.pairs()[::8]
EMBEDDER = HashingEmbedder()
SURE = Estimate(0.95, 0.9, 0.98, 100)
FINE = Figures(SURE, SURE, {"faithfulness": SURE}, {}, SURE, Position(0.0, 1.0, 1.0, 40), asked=100, measured=100)


def test_a_good_judge_qualifies():
    with ScriptedJudge() as judge:
        held = examine(judge.judge(), EMBEDDER, pairs=FEW)
    told = held.figures
    assert (held.qualified, held.reasons, held.interrupted) == (True, (), None)
    assert (told["accuracy"]["value"], told["kappa"]["value"], told["repeatability"]["value"]) == (1.0, 1.0, 1.0)
    assert (told["position"]["bias"], told["coverage"], told["unmeasured"]) == (0.0, 1.0, {})
    assert told["calls"] == len(judge.asked)
    assert told["tokens"] > 100 * told["calls"]
    assert not told["estimated"]
    assert told["seconds_per_question"] > 0


@pytest.mark.thorough
def test_a_judge_that_prefers_what_stands_first_does_not():
    with ScriptedJudge(first) as judge:
        held = examine(judge.judge(), EMBEDDER, pairs=FEW)
    assert held.reasons == ("position bias is +1.00, beyond 0.15: it favours the first of two texts",)
    assert held.figures["accuracy"]["value"] == 1.0


def test_a_judge_that_says_anything_but_what_was_asked_for_is_unmeasured_and_does_not_qualify():
    with ScriptedJudge() as judge:
        judge.reply = "I would rather talk."
        held = examine(judge.judge(), EMBEDDER, pairs=FEW[:2])
    assert not held.qualified
    assert (held.figures["accuracy"]["value"], held.figures["measured"]) == (None, 0)
    assert "questions got a usable reply (ValidationError" in held.reasons[0]
    assert "accuracy could not be measured" in held.reasons


@pytest.mark.parametrize("how", ["hangs", "429", "dies", "nobody listens"])
def test_an_endpoint_that_fails_ends_the_exam_soon_and_it_is_held_again(how, tmp_path):
    with ScriptedJudge() as judge:
        judge.hangs = how == "hangs"
        judge.status, judge.headers = (429, {"Retry-After": "3600"}) if how == "429" else (200, {})
        judge.dies_after = 20 if how == "dies" else None
        who = judge.judge(failures=3, call_seconds=0.2 if how == "hangs" else 5.0, parallel=2)
        who = replace(who, url="http://127.0.0.1:9/v1") if how == "nobody listens" else who
        began = monotonic()
        held = examine(who, EMBEDDER, pairs=FEW)
    assert monotonic() - began < 3
    assert not held.qualified
    assert "times in a row" in str(held.interrupted)
    assert sum(held.figures["unmeasured"].values()) == held.figures["asked"] - held.figures["measured"]
    store = open_store(str(tmp_path / "index"), tmp_path)
    store.exams.write(held)
    found = exam.standing(store, who)
    assert (found.state, exam.is_due(found)) == (State.UNQUALIFIED, True)


def test_an_exam_ends_within_its_budget_and_says_what_was_not_asked():
    with ScriptedJudge() as judge:
        held = examine(judge.judge(tokens=5_000, parallel=1), EMBEDDER, pairs=FEW)
    assert held.figures["tokens"] < 7_000
    assert held.figures["unmeasured"] == {"not judged: 5,000 tokens were used up": held.figures["asked"] - held.figures["measured"]}
    assert not held.qualified


def test_tokens_that_the_endpoint_does_not_count_are_estimated():
    with ScriptedJudge() as judge:
        judge.counts_tokens = False
        held = examine(judge.judge(), EMBEDDER, pairs=FEW[:1])
    assert held.figures["estimated"]
    assert held.figures["tokens"] > 100 * held.figures["calls"]


@pytest.mark.thorough
def test_a_judge_is_examined_before_its_first_use_and_not_again_until_that_is_due(tmp_path, monkeypatch):
    monkeypatch.setattr(planted, "pairs", lambda: FEW)
    store = open_store(str(tmp_path / "index"), tmp_path)
    with ScriptedJudge() as endpoint:
        judge = endpoint.judge()
        assert exam.standing(store, judge).state is State.UNEXAMINED
        assert exam.examine_when_due(store, judge, EMBEDDER).state is State.QUALIFIED
        asked = len(endpoint.asked)
        assert exam.examine_when_due(store, judge, EMBEDDER).state is State.QUALIFIED
        assert len(endpoint.asked) == asked
        other = exam.standing(store, endpoint.judge("another-model"))
    assert other.state is State.UNEXAMINED
    assert "was of model 'scripted'" in other.reasons[0]


@pytest.mark.thorough
def test_a_good_judge_that_changes_is_caught_at_the_next_exam_and_its_old_verdicts_are_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(planted, "pairs", lambda: SIXTH)
    store = open_store(str(tmp_path / "index"), tmp_path)
    with ScriptedJudge() as endpoint:
        judge = endpoint.judge()
        exam.hold_exam(store, judge, EMBEDDER)
        assert exam.as_it_behaves(store, judge).since is None
        endpoint.decide = lenient
        found = exam.hold_exam(store, judge, EMBEDDER)
    assert found.state is State.UNQUALIFIED
    assert found.exam
    assert "it judges worse than in its last exam" in str(found.exam.changed)
    assert exam.as_it_behaves(store, judge).since == found.exam.at.isoformat()


SIXTH = planted.pairs()[::6]


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        (replace(FINE, accuracy=Estimate(0.84, 0.8, 0.9, 9)), "accuracy is 0.84, below 0.85"),
        (replace(FINE, kappa=Estimate(0.7, 0.59, 0.8, 9)), "kappa, at the lower end of its interval is 0.59, below 0.6"),
        (replace(FINE, repeatability=Estimate(0.89, 0.8, 0.9, 9)), "repeatability is 0.89, below 0.9"),
        (replace(FINE, by_metric={"answer_relevancy": Estimate(0.6, 0.5, 0.7, 9)}), "accuracy in answer_relevancy is 0.60, below 0.7"),
        (replace(FINE, position=Position(-0.2, 0.8, 0.9, 9)), "position bias is -0.20, beyond 0.15: it favours the second of two texts"),
        (replace(FINE, measured=89, unmeasured={"late": 11}), "only 89 of 100 questions got a usable reply (late)"),
    ],
)
def test_each_bar_is_a_reason_of_its_own(figures, reason):
    assert shortcomings(FINE, Bar()) == ()
    assert shortcomings(figures, Bar()) == (reason,)


def test_scores_of_a_judge_that_is_not_qualified_are_marked_and_no_others(tmp_path):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    scores = (Score("nDCG@10", 0.7, 0.6, 0.8, 9, 9), *(Score(metric, 0.5, 0.4, 0.6, 9, 9) for metric in METRICS))
    evaluation = Evaluation("e", 1, "default", "completed", None, at, at, scores)
    store = open_store(str(tmp_path / "index"), tmp_path)
    with ScriptedJudge() as endpoint:
        found = exam.standing(store, endpoint.judge())
    marked = exam.marked(evaluation, found)
    assert [score.note for score in marked.scores] == [None, *["unexamined judge: it has not been examined yet"] * 5]
    assert exam.marked(evaluation, replace(found, state=State.QUALIFIED)) == evaluation
    assert exam.marked(evaluation, None) == evaluation
    store.evaluations.write(marked)
    assert store.evaluations.all()[0].scores == marked.scores


@pytest.mark.slow
@pytest.mark.parametrize(
    ("decide", "qualified"),
    [(good, True), (wrong_at(0.01), True), (wrong_at(0.5), False), (wrong_at(0.25), False), (first, False), (lenient, False)],
    ids=["good", "1 % wrong", "random", "25 % wrong", "biased", "lenient"],
)
def test_the_whole_exam_sorts_judges(decide: Decide, qualified: bool):
    with ScriptedJudge(decide) as judge:
        held = examine(judge.judge(), EMBEDDER)
    assert (held.qualified, not held.reasons) == (qualified, qualified)
    assert held.figures["asked"] == 372


@pytest.mark.slow
def test_a_judge_that_drifts_a_little_is_caught_and_one_that_does_not_is_left_alone():
    with ScriptedJudge(wrong_at(0.02)) as judge:
        before = examine(judge.judge(), EMBEDDER)
        judge.decide = wrong_at(0.02, seed=2)
        same = examine(judge.judge(), EMBEDDER, before)
        judge.decide = wrong_at(0.2, seed=3)
        worse = examine(judge.judge(), EMBEDDER, before)
    assert same.changed is None
    assert "it judges worse" in str(worse.changed)
