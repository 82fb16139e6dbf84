import pytest

from evals.answers import AnsweredQuestion, Ask, abstention_scores, ask_all
from index.errors import Unavailable
from index.golden import GoldenQuestion, Passage

ANSWERABLE = GoldenQuestion("yes", "Who?", (Passage("d", "Ada"),), None)
UNANSWERABLE = GoldenQuestion("no", "What of the moon?", (), None)


def says(*, grounded: bool) -> Ask:
    return lambda text: AnsweredQuestion(text, grounded, ())


def test_answering_what_has_an_answer_and_declining_what_has_none_is_right():
    assert [attempt.abstention for attempt in ask_all(says(grounded=True), [ANSWERABLE, UNANSWERABLE])] == [1.0, 0.0]
    assert [attempt.abstention for attempt in ask_all(says(grounded=False), [ANSWERABLE, UNANSWERABLE])] == [0.0, 1.0]


def test_a_question_that_fails_is_unmeasured_and_the_others_go_on():
    def ask(text):
        if text == "Who?":
            raise Unavailable("the index is being moved")
        return AnsweredQuestion(text, grounded=False, contexts=())

    first, second = ask_all(ask, [ANSWERABLE, UNANSWERABLE])
    assert (first.abstention, first.reason) == (None, "the index is being moved")
    assert second.abstention == 1.0


def test_questions_beyond_the_time_budget_are_unmeasured():
    attempts = ask_all(says(grounded=True), [ANSWERABLE, ANSWERABLE], budget_s=0)
    assert [attempt.answer for attempt in attempts] == [None, None]
    assert attempts[0].reason == "not asked: 0 s were used up"


def row(*, answerable: bool, grounded: bool | None) -> dict[str, bool | None]:
    return {"answerable": answerable, "grounded": grounded}


def test_to_decline_what_has_no_answer_is_the_positive_case():
    declined_rightly, answered_wrongly = row(answerable=False, grounded=False), row(answerable=False, grounded=True)
    declined_wrongly, answered_rightly = row(answerable=True, grounded=False), row(answerable=True, grounded=True)
    rows = [declined_rightly] * 6 + [declined_wrongly] * 2 + [answered_wrongly] * 4 + [answered_rightly] * 8
    precision, recall, f1 = abstention_scores([*rows, row(answerable=False, grounded=None)])
    assert (precision.metric, precision.value, precision.measured, precision.of) == ("abstention_precision", 0.75, 20, 21)
    assert (recall.metric, recall.value, recall.measured, recall.of) == ("abstention_recall", 0.6, 10, 11)
    assert (f1.metric, f1.value, f1.measured, f1.of) == ("abstention_f1", pytest.approx(2 / 3), 20, 21)
    assert all(score.low < score.value < score.high for score in (precision, recall, f1))


def test_where_nothing_is_declined_and_nothing_had_to_be_nothing_is_measured():
    scores = abstention_scores([row(answerable=True, grounded=True)] * 3)
    assert {(score.value, score.measured) for score in scores} == {(None, 0)}


def test_progress_counts_the_questions():
    told: list[tuple[int, int]] = []
    ask_all(says(grounded=True), [ANSWERABLE, UNANSWERABLE], lambda done, of: told.append((done, of)))
    assert told == [(1, 2), (2, 2)]
