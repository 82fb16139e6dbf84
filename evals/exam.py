"""The exam of a judge: planted pairs, asked by the prompts that evaluations use, before its scores count."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from evals import agreement, planted
from evals.agreement import Decided, Estimate, Position
from evals.budget import Meter
from evals.judge import METRICS, Judge, Question, Told, Verdict, ask
from evals.judge_metrics import ANSWER_RELEVANCY, COMPARISON
from evals.planted import RIGHT, WRONG, Item, Pair
from index.embedder import Embedder
from index.evaluations import Evaluation
from index.exams import Exam, Standing, behaving_since, is_due, standing_of
from index.store import Store

# An answer with a wrong claim in it has 0.5 or less of its claims borne out, a faithful one has all.
GOOD_AT = 0.75
# Every second pair is asked about twice.
REPEATED_EVERY = 2
ORDER_SEED = 20_260_601
MOST_REASONS = 20
NO_OTHER = "not decided: the other answer of its pair was not judged"


@dataclass(frozen=True, slots=True)
class Bar:
    """What a judge must reach.

    Attributes:
        accuracy: the share of right decisions.
        kappa_low: Cohen's kappa at the lower end of its interval; above 0.6 agreement is called substantial (Landis and Koch 1977).
        of_each: the share of right decisions in each metric.
        repeatability: the share of questions asked twice that are decided alike.
        bias: the most that the order of two texts may sway their comparison.
        coverage: the share of questions that got a usable reply.
    """

    accuracy: float = 0.85
    kappa_low: float = 0.6
    of_each: float = 0.7
    repeatability: float = 0.9
    bias: float = 0.15
    coverage: float = 0.9


@dataclass(frozen=True, slots=True)
class Figures:
    """What an exam came to. A question counts once in accuracy and kappa, however often it was asked; comparisons count in neither.

    Attributes:
        accuracy, kappa: over all decisions that evaluations ask for.
        by_metric, by_kind: the accuracy of parts.
        repeatability: see there.
        position: of comparisons.
        asked, measured: questions, repeats included.
        unmeasured: why, and how often.
        calls, tokens, seconds: of the whole exam; `estimated` when the endpoint did not count the tokens.
    """

    accuracy: Estimate
    kappa: Estimate
    by_metric: Mapping[str, Estimate]
    by_kind: Mapping[str, Estimate]
    repeatability: Estimate
    position: Position
    asked: int
    measured: int
    unmeasured: Mapping[str, int] = field(default_factory=dict)
    calls: int = 0
    tokens: int = 0
    estimated: bool = False
    seconds: float = 0.0

    @property
    def coverage(self) -> float:
        """The share of questions that got a usable reply."""
        return self.measured / self.asked if self.asked else 0.0

    def as_json(self) -> dict[str, Any]:
        """The numbers, with what one question costs."""
        questions = max(1, self.asked)
        costs = {"tokens_per_question": self.tokens / questions, "seconds_per_question": self.seconds / questions}
        return asdict(self) | {"coverage": self.coverage} | costs


def examine(
    judge: Judge,
    embedder: Embedder,
    before: Exam | None = None,
    progress: Told = lambda _done, _of: None,
    pairs: Sequence[Pair] | None = None,
    bar: Bar | None = None,
) -> Exam:
    """Holds an exam; it takes at most the judge's budget.

    Args:
        judge: who is examined. Its cache is not used: an exam is about what it says now.
        embedder: measures how near the question is that the judge reads from an answer.
        before: the last exam of the same judge, to notice that it has changed.
        progress: is told how many questions are through.
        pairs: those planted, unless told otherwise.
        bar: what must be reached.
    """
    items = planted.items(planted.pairs() if pairs is None else pairs)
    questions = _questions(items)
    meter = Meter(judge.budget)
    verdicts = ask(judge, embedder, questions, meter, progress)
    rounds = [{key[0]: verdict for key, verdict in verdicts.items() if key[1] == n} for n in (0, 1)]  # type: ignore[index]  # see `_questions`
    decisions = decisions_of(items, rounds)
    figures = figures_of(items, decisions, _unmeasured(decisions, rounds), meter)
    reasons = shortcomings(figures, bar or Bar())
    truths = {item.id: item.truth for item in items}
    return Exam(
        at=datetime.now(UTC),
        judge=judge.identity,
        qualified=not reasons,
        reasons=reasons,
        interrupted=meter.gave_up,
        changed=agreement.change(before.decisions, decisions, truths) if before else None,
        figures=figures.as_json(),
        decisions=decisions,
    )


def _questions(items: Sequence[Item]) -> list[Question]:
    """All questions, in an order that tells a judge nothing and in which what a budget cuts off is of every kind; keys: (item, round)."""
    names = sorted({item.pair for item in items})
    repeated = set(names[::REPEATED_EVERY])
    asked = [Question((item.id, n), item.metric, item.sample) for item in items for n in range(2) if n == 0 or item.pair in repeated]
    order = np.random.default_rng(ORDER_SEED).permutation(len(asked))
    return [asked[place] for place in order]


def decisions_of(items: Sequence[Item], rounds: Sequence[Mapping[str, Verdict]]) -> dict[str, list[bool | None]]:
    """What was decided on each question, each time it was asked (pure)."""
    by_side = {(item.pair, item.metric, item.side): item.id for item in items}
    decided: dict[str, list[bool | None]] = {}
    for item in items:
        other = by_side[item.pair, item.metric, WRONG if item.side == RIGHT else RIGHT]
        decided[item.id] = [_decision(item, given[item.id], given[other]) for given in rounds if item.id in given]
    return decided


def _decision(item: Item, verdict: Verdict, other: Verdict) -> bool | None:
    if verdict.value is None:
        return None
    if item.metric == ANSWER_RELEVANCY:  # how near is near depends on the embedder: the nearer of the two answers is the relevant one
        return None if other.value is None else verdict.value > other.value
    return verdict.value >= GOOD_AT


def _unmeasured(decisions: Mapping[str, Sequence[bool | None]], rounds: Sequence[Mapping[str, Verdict]]) -> Counter[str]:
    """Why there are decisions missing, and how many."""
    missing = [(name, n) for name, given in decisions.items() for n, each in enumerate(given) if each is None]
    return Counter(rounds[n][name].reason or NO_OTHER for name, n in missing)


def figures_of(items: Sequence[Item], decisions: Mapping[str, Sequence[bool | None]], failed: Counter[str], meter: Meter) -> Figures:
    """The numbers of an exam (pure, but for the time it took)."""
    first = [(item, given) for item in items if (given := decisions[item.id][0]) is not None]
    decided = {item.id: Decided(item.pair, item.truth, given) for item, given in first if item.metric != COMPARISON}
    all_given = [given for each in decisions.values() for given in each]
    return Figures(
        accuracy=agreement.accuracy(list(decided.values())),
        kappa=agreement.kappa(list(decided.values())),
        by_metric=_parts(items, decided, "metric"),
        by_kind=_parts(items, decided, "kind"),
        repeatability=agreement.repeatability(decisions),
        position=agreement.position(_both_orders(items, decisions)),
        asked=len(all_given),
        measured=sum(given is not None for given in all_given),
        unmeasured=dict(failed.most_common(MOST_REASONS)),
        calls=meter.calls,
        tokens=meter.tokens,
        estimated=meter.estimated,
        seconds=meter.seconds,
    )


def _parts(items: Sequence[Item], decided: Mapping[str, Decided], by: str) -> dict[str, Estimate]:
    names = sorted({getattr(item, by) for item in items if item.metric != COMPARISON})
    of = {name: [decided[item.id] for item in items if item.id in decided and getattr(item, by) == name] for name in names}
    return {name: agreement.accuracy(each) for name, each in of.items()}


def _both_orders(items: Sequence[Item], decisions: Mapping[str, Sequence[bool | None]]) -> list[tuple[bool, bool]]:
    compared = {(item.pair, item.side): decisions[item.id][0] for item in items if item.metric == COMPARISON}
    both = [(compared[pair, RIGHT], compared[pair, WRONG]) for pair, side in compared if side == RIGHT]
    return [(right_first, wrong_first) for right_first, wrong_first in both if right_first is not None and wrong_first is not None]


def shortcomings(figures: Figures, bar: Bar) -> tuple[str, ...]:
    """Why a judge is not qualified; none when it is (pure)."""
    found = []
    if figures.coverage < bar.coverage:
        most = next(iter(figures.unmeasured), "")
        found.append(f"only {figures.measured} of {figures.asked} questions got a usable reply ({most})" if most else "nothing was asked")
    reached = {
        "accuracy": (figures.accuracy.value, bar.accuracy),
        "kappa, at the lower end of its interval": (figures.kappa.low, bar.kappa_low),
        "repeatability": (figures.repeatability.value, bar.repeatability),
        **{f"accuracy in {metric}": (part.value, bar.of_each) for metric, part in figures.by_metric.items()},
    }
    for name, (value, least) in reached.items():
        if value is None:
            found.append(f"{name} could not be measured")
        elif value < least:
            found.append(f"{name} is {value:.2f}, below {least:g}")
    bias = figures.position.bias
    if bias is None:
        found.append("position bias could not be measured")
    elif abs(bias) > bar.bias:
        found.append(f"position bias is {bias:+.2f}, beyond {bar.bias:g}: it favours the {'first' if bias > 0 else 'second'} of two texts")
    return tuple(found)


def standing(store: Store, judge: Judge) -> Standing:
    """What holds of a judge now: qualified, unqualified or unexamined, why, and its last exam."""
    return standing_of(store.exams.all(), judge.identity, datetime.now(UTC))


def hold_exam(store: Store, judge: Judge, embedder: Embedder, progress: Told = lambda _done, _of: None) -> Standing:
    """Examines a judge, keeps the exam, and says what holds of the judge then."""
    before = next((exam for exam in store.exams.all() if exam.judge == judge.identity and not exam.interrupted), None)
    store.exams.write(examine(judge, embedder, before, progress))
    return standing(store, judge)


def examine_when_due(store: Store, judge: Judge, embedder: Embedder, progress: Told = lambda _done, _of: None) -> Standing:
    """What holds of a judge; it is examined first when that is due."""
    found = standing(store, judge)
    return hold_exam(store, judge, embedder, progress) if is_due(found) else found


def as_it_behaves(store: Store, judge: Judge) -> Judge:
    """The judge with the time since when it behaves as it does: older verdicts of it are not used again."""
    return replace(judge, since=behaving_since(store.exams.all(), judge.identity))


def marked(evaluation: Evaluation, found: Standing | None) -> Evaluation:
    """The evaluation, with a note beside each score of a judge that is not qualified: such scores gate nothing."""
    if found is None or found.counts:
        return evaluation
    scores = tuple(replace(score, note=found.note) if score.metric in METRICS else score for score in evaluation.scores)
    return replace(evaluation, scores=scores)
