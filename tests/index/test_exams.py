from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from index import exams
from index.exams import Exam, State, behaving_since, identity_of, is_due, standing_of
from index.store import open_store

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
JUDGE = identity_of("http://localhost:8080/v1", "large")
PASSED = Exam(NOON, JUDGE, qualified=True, figures={"coverage": 1.0}, decisions={"q1": [True, None]})
FAILED = replace(PASSED, qualified=False, reasons=("accuracy is 0.50, below 0.85",))


def test_exams_are_kept_and_come_newest_first(tmp_path):
    store = open_store(str(tmp_path / "index"), tmp_path)
    later = replace(FAILED, at=NOON + timedelta(days=7), changed="it judges worse", interrupted="it hung")
    for held in (later, PASSED):
        store.exams.write(held)
    assert open_store(str(tmp_path / "index"), tmp_path).exams.all() == [later, PASSED]


def test_only_the_newest_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(exams, "KEPT", 2)
    store = open_store(str(tmp_path / "index"), tmp_path)
    for n in range(4):
        store.exams.write(replace(PASSED, at=NOON + timedelta(days=n)))
    assert [held.at.day for held in store.exams.all()] == [4, 3]


def test_nothing_secret_of_the_endpoint_is_kept():
    who = identity_of("https://me:secret@judge.example:8443/v1/?key=secret#secret", "large")
    assert who.endpoint == "https://judge.example:8443/v1"


def test_another_model_endpoint_or_prompt_is_another_judge(monkeypatch):
    others = [identity_of("http://localhost:8080/v1", "small"), identity_of("http://localhost:8081/v1", "large")]
    monkeypatch.setattr(exams, "EXAM", 99)
    others.append(identity_of("http://localhost:8080/v1", "large"))
    assert len({who.fingerprint for who in [JUDGE, *others]}) == 4
    for who in others:
        found = standing_of([PASSED], who, NOON)
        assert (found.state, is_due(found)) == (State.UNEXAMINED, True)
    assert standing_of([PASSED], others[0], NOON).reasons == ("it has not been examined yet; the exam of 2026-06-01 was of model 'large'",)


@pytest.mark.parametrize(
    ("held", "days", "state", "due"),
    [
        ([], 0, State.UNEXAMINED, True),
        ([PASSED], 14, State.QUALIFIED, False),
        ([PASSED], 16, State.UNEXAMINED, True),
        ([FAILED], 1, State.UNQUALIFIED, False),
        ([FAILED, PASSED], 1, State.UNQUALIFIED, False),
        ([replace(FAILED, interrupted="it hung")], 1, State.UNQUALIFIED, True),
    ],
    ids=["never", "lately", "long ago", "failed", "failed after it had passed", "broken off"],
)
def test_what_an_exam_says_holds_until_the_next_or_for_two_weeks(held, days, state, due):
    found = standing_of(held, JUDGE, NOON + timedelta(days=days))
    assert (found.state, is_due(found)) == (state, due)
    assert found.counts == (state is State.QUALIFIED)
    assert (found.note is None) == found.counts


def test_a_judge_behaves_as_it_does_since_the_exam_that_found_it_changed():
    changed = replace(PASSED, at=NOON + timedelta(days=7), changed="it judges worse")
    after = replace(PASSED, at=NOON + timedelta(days=14))
    assert behaving_since([after, changed, PASSED], JUDGE) == "2026-06-08T12:00:00+00:00"
    assert behaving_since([PASSED], JUDGE) is None
