from evals.answers import AnsweredQuestion, Ask, ask_all
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


def test_progress_counts_the_questions():
    told: list[tuple[int, int]] = []
    ask_all(says(grounded=True), [ANSWERABLE, UNANSWERABLE], lambda done, of: told.append((done, of)))
    assert told == [(1, 2), (2, 2)]
