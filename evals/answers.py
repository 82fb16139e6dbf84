"""Answers to golden questions: one where there is one, and none where there is none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from evals import intervals
from index.errors import GroundworkError
from index.evaluations import Score
from index.golden import GoldenQuestion

ABSTENTION = "abstention_accuracy"
ABSTENTION_PRECISION = "abstention_precision"
ABSTENTION_RECALL = "abstention_recall"
ABSTENTION_F1 = "abstention_f1"
DECLINED = "no answer was given"
BUDGET_S = 1_800.0


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """What the platform answered. `grounded` False: it said that the sources do not hold the answer.

    `contexts` are the passages that the answer was made from, best first; `quotes` what it cites of them, word for word.
    """

    text: str
    grounded: bool
    contexts: tuple[str, ...]
    quotes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """A question that was asked: the answer, or why there is none."""

    question: GoldenQuestion
    answer: AnsweredQuestion | None
    reason: str | None = None

    @property
    def abstention(self) -> float | None:
        """1 for an answer where there is one and for "not in the sources" where there is none; else 0."""
        return None if self.answer is None else float(self.answer.grounded == self.question.answerable)

    @property
    def given(self) -> AnsweredQuestion | None:
        """The answer, unless it was that there is none."""
        return self.answer if self.answer and self.answer.grounded else None


Ask = Callable[[str], AnsweredQuestion]


def ask_all(
    ask: Ask,
    questions: Sequence[GoldenQuestion],
    progress: Callable[[int, int], None] = lambda _done, _of: None,
    budget_s: float = BUDGET_S,
) -> tuple[Attempt, ...]:
    """Asks each question; what fails or does not fit into the time budget is unmeasured, with its reason."""
    ends = monotonic() + budget_s
    attempts = []
    for done, question in enumerate(questions, 1):
        in_time = monotonic() < ends
        attempts.append(_attempt(ask, question) if in_time else Attempt(question, None, f"not asked: {budget_s:g} s were used up"))
        progress(done, len(questions))
    return tuple(attempts)


def abstention_scores(rows: Sequence[Mapping[str, Any]]) -> list[Score]:
    """How right it is to decline, over the rows of an evaluation; to decline a question that has no answer is the positive case.

    Precision: of the questions that were declined, those that have no answer. Recall: of the questions without an answer, those
    that were declined. F1: their harmonic mean. Precision and F1 are unmeasured where nothing was declined or had to be.
    """
    asked = [row for row in rows if row.get("grounded") is not None]
    unanswerable = [row for row in rows if not row["answerable"]]
    without = [row for row in asked if not row["answerable"]]
    declined = [row for row in asked if not row["grounded"]]
    right = sum(not row["answerable"] for row in declined)
    wrong = len(declined) - right + len(without) - right
    return [
        intervals.scored(ABSTENTION_PRECISION, intervals.proportion_interval(right, len(declined)), len(asked), len(rows)),
        intervals.scored(ABSTENTION_RECALL, intervals.proportion_interval(right, len(without)), len(without), len(unanswerable)),
        intervals.scored(ABSTENTION_F1, intervals.f1_interval(right, wrong), len(asked), len(rows)),
    ]


def _attempt(ask: Ask, question: GoldenQuestion) -> Attempt:
    try:
        return Attempt(question, ask(question.question))
    except GroundworkError as error:
        return Attempt(question, None, str(error))
