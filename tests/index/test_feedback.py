"""Feedback: the last word of a key on an answer counts."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from index import tables
from index.feedback import Feedback, Feedbacks

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def said(answer: str, minute: int, key: str = "ann", useful: bool = True, comment: str | None = None) -> Feedback:
    return Feedback(answer, NOON + timedelta(minutes=minute), useful, comment, key, 3)


@pytest.fixture
def feedback(tmp_path: Path) -> Feedbacks:
    return Feedbacks(tables.connect(str(tmp_path)))


def test_the_last_word_of_a_key_counts_and_keys_do_not_touch_each_other(feedback: Feedbacks):
    feedback.write(said("a", 0, "ann", useful=True))
    feedback.write(said("a", 1, "bob", useful=True, comment="right"))
    feedback.write(said("a", 2, "ann", useful=False, comment="wrong after all"))
    assert feedback.of("a") == [said("a", 1, "bob", comment="right"), said("a", 2, "ann", useful=False, comment="wrong after all")]
    assert feedback.of("b") == []


def test_it_is_read_by_time_and_in_pages(feedback: Feedbacks):
    for minute, answer in enumerate("abc"):
        feedback.write(said(answer, minute))
    assert [each.answer_id for each in feedback.between(NOON, NOON + timedelta(minutes=2))] == ["a", "b"]
    assert [each.answer_id for each in feedback.before(NOON + timedelta(minutes=2), 5)] == ["b", "a"]
    assert [each.answer_id for each in feedback.before(NOON + timedelta(hours=1), 2)] == ["c", "b"]


def test_old_feedback_goes(feedback: Feedbacks):
    for minute, answer in enumerate("abc"):
        feedback.write(said(answer, minute))
    assert feedback.clean(NOON + timedelta(minutes=1)) == 1
    feedback.fold()
    assert feedback.clean(NOON, most=1) == 1
    assert [each.answer_id for each in feedback.before(NOON + timedelta(hours=1), 9)] == ["c"]


def test_a_comment_with_forbidden_words_goes_and_the_verdict_stays(feedback: Feedbacks):
    feedback.write(said("a", 0, comment="it says the moon is cheese"))
    feedback.write(said("b", 1, comment="fine"))
    assert feedback.forget([b"the moon is cheese"]) == 1
    assert feedback.between(NOON, NOON + timedelta(hours=1)) == [said("a", 0), said("b", 1, comment="fine")]
