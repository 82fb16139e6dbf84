"""Answers to golden questions: one where there is one, and none where there is none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from index.errors import GroundworkError
from index.golden import GoldenQuestion

ABSTENTION = "abstention_accuracy"
BUDGET_S = 1_800.0


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """What the platform answered. `grounded` False: it said that the sources do not hold the answer.

    `contexts` are the passages that the answer was made from, best first.
    """

    text: str
    grounded: bool
    contexts: tuple[str, ...]


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


def _attempt(ask: Ask, question: GoldenQuestion) -> Attempt:
    try:
        return Attempt(question, ask(question.question))
    except GroundworkError as error:
        return Attempt(question, None, str(error))
