"""Whether the extractive generator answers what has an answer, and only that: at its threshold, and at the best one for a collection."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evals import wording
from evals.answers import ABSTENTION, AnsweredQuestion, Attempt, abstention_scores
from evals.bench import progress
from evals.bench.collection import Collection
from evals.bench.collection import Question as Asked
from evals.bench.figures import Case, Figure
from evals.intervals import score
from index.embedder import Embedder
from index.evaluations import Score
from index.golden import GoldenQuestion
from index.reader import Reader
from index.store import open_store
from tasks.answer import Question, answer
from tasks.extract import MIN_SIMILARITY, ExtractiveGenerator

PART = "quality"
STEP = 0.01


@dataclass(frozen=True, slots=True)
class Answered:
    """A question, the answer that it gets when none is declined, and the cosine that a threshold of the generator is compared with."""

    question: GoldenQuestion
    answer: AnsweredQuestion
    similarity: float

    def at(self, threshold: float) -> Attempt:
        """The answer that a generator with this threshold gives."""
        if self.similarity >= threshold:
            return Attempt(self.question, self.answer)
        return Attempt(self.question, AnsweredQuestion("", grounded=False, contexts=self.answer.contexts))


def answering(home: Path, collection: Collection, embedder: Embedder) -> list[Figure]:
    """Abstention and wording of the answers on the half that no threshold was chosen on, with intervals."""
    reader = open_store(str(home / "index"), home).reader()
    reader.follow()
    answered = list(ask(reader, embedder, [*collection.questions, *collection.unanswerable]))
    chosen_on, reported_on = halves(answered)
    best = best_threshold(chosen_on)
    return [
        *figures(f"{collection.name}, answers, shipped threshold", MIN_SIMILARITY, reported_on, embedder),
        *figures(f"{collection.name}, answers, threshold chosen on the other half", best, reported_on, embedder),
    ]


def ask(reader: Reader, embedder: Embedder, questions: Sequence[Asked]) -> Iterator[Answered]:
    """Each question with its answer, none declined."""
    generator = ExtractiveGenerator(embedder, min_similarity=-1.0)
    with progress.bar("answering", len(questions)) as show:
        for done, question in enumerate(questions):
            show(done)
            given = answer(reader, embedder, [generator], Question(question.text))
            contexts = tuple(hit.chunk.text for hit in given.retrieved.hits)
            quotes = tuple(citation.quote for citation in given.citations)
            similarity = generator.similarity(question.text, given.retrieved.hits)
            yield Answered(question.asked(), AnsweredQuestion(given.text, given.grounded, contexts, quotes), similarity)


def halves(answered: Sequence[Answered]) -> tuple[list[Answered], list[Answered]]:
    """Every second of the answerable questions and every second of the others, and the rest."""
    sorts = [[each for each in answered if each.question.answerable is answerable] for answerable in (True, False)]
    return [each for sort in sorts for each in sort[::2]], [each for sort in sorts for each in sort[1::2]]


def best_threshold(answered: Sequence[Answered]) -> float:
    """Where the share of answerable questions that are answered and that of the others that are declined are highest together.

    Not where F1 is: where half of the questions have no answer, that is best at declining nearly everything.
    """
    steps = [round(STEP * step, 2) for step in range(101)]
    return max(steps, key=lambda threshold: balanced(answered, threshold))


def balanced(answered: Sequence[Answered], threshold: float) -> float:
    """The mean of both shares (balanced accuracy), 0 to 1."""
    kept = [each.similarity >= threshold for each in answered if each.question.answerable]
    declined = [each.similarity < threshold for each in answered if not each.question.answerable]
    return (sum(kept) / max(1, len(kept)) + sum(declined) / max(1, len(declined))) / 2


def figures(name: str, threshold: float, answered: Sequence[Answered], embedder: Embedder) -> list[Figure]:
    """What the scores of an evaluation would be."""
    case = Case(PART, f"{name} {threshold:g}")
    attempts = [each.at(threshold) for each in answered]
    answerable = [attempt for attempt in attempts if attempt.question.answerable]
    verdicts = wording.measure(embedder, attempts)
    rows = [{"answerable": attempt.question.answerable, "grounded": bool(attempt.given)} for attempt in attempts]
    worded = [score(metric, [verdicts[each.question.id][metric].value for each in answerable]) for metric in wording.METRICS]
    abstained = [score(ABSTENTION, [attempt.abstention for attempt in attempts]), *abstention_scores(rows)]
    return [
        case.figure("questions", len(attempts), "questions"),
        case.figure("answered of those with an answer", sum(bool(each.given) for each in answerable) / max(1, len(answerable)), ""),
        *(figure for each in (*abstained, *worded) for figure in with_interval(case, each)),
    ]


def with_interval(case: Case, found: Score) -> list[Figure]:
    """A score and the ends of its interval; nothing where nothing was measured."""
    if found.value is None or found.low is None or found.high is None:
        return []
    ends = zip((found.metric, f"{found.metric}, from", f"{found.metric}, to"), (found.value, found.low, found.high), strict=True)
    return [case.figure(metric, value, "") for metric, value in ends]
