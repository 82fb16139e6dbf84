"""All monitors over what is known of an index and its traffic, and the cause each alarm points to (pure)."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from evals.causes import Cause, Diagnosis, of_traffic
from evals.drift import Numbers, Reading, Rule, Side, below, fallen_lately, fewer, strange, unmeasured, unusual
from evals.intervals import Interval
from evals.terms import QUESTIONS_SHOWN, SHOWN, Term, new_terms, questions_with, share_beyond, terms

GOLDEN, GOLDEN_PASSAGES = "golden questions", "golden passages"
CANARIES, CANARY_PASSAGES = "canaries", "canary passages"
RECALL, FEEDBACK, JUDGE = "recall", "feedback", "judge"
QUESTIONS, TERMS, UNKNOWN = "questions", "new terms", "unknown words"
BEST, DECLINED, EMPTY = "best scores", "declined answers", "empty results"
NAMES = (
    *(GOLDEN, GOLDEN_PASSAGES, CANARIES, CANARY_PASSAGES, RECALL, FEEDBACK, JUDGE),
    *(QUESTIONS, TERMS, UNKNOWN, BEST, DECLINED, EMPTY),
)
# Those that say that people get worse results; the others say that something else is otherwise.
OF_QUALITY = frozenset({GOLDEN, GOLDEN_PASSAGES, CANARIES, CANARY_PASSAGES, RECALL, FEEDBACK, BEST, DECLINED, EMPTY})
OF_TRAFFIC = frozenset({QUESTIONS, TERMS, UNKNOWN, BEST, DECLINED, EMPTY})
# Days with an alarm are no measure of what is usual; after so many they are, for nobody has mended it.
FORGIVEN = 14
_ASKED = frozenset({QUESTIONS, TERMS, UNKNOWN})
_ALWAYS = {JUDGE: Cause.JUDGE, RECALL: Cause.INDEX, GOLDEN_PASSAGES: Cause.CORPUS, CANARY_PASSAGES: Cause.CORPUS}


@dataclass(frozen=True, slots=True)
class Day:
    """The questions of 24 hours, in their order.

    Attributes:
        texts: as they were asked.
        vectors: of them, shape (questions, dimensions).
        best: the highest similarity of a passage found to its question; nan where it is not known.
        empty: whether nothing was found, as 0 or 1.
        declined: of the answers alone, whether the sources did not hold one, as 0 or 1.
        unknown: the share of the words that the tokenizer has to cut into pieces.
    """

    texts: Sequence[str]
    vectors: Numbers
    best: Numbers
    empty: Numbers
    declined: Numbers
    unknown: Numbers


@dataclass(frozen=True, slots=True)
class Facts:
    """What the monitors look at; of each series the last one is of today, and nothing has been left out between.

    Attributes:
        golden: the value of each golden question in each of the last evaluations, the newest last; and before.
        golden_gone: by day, which share of the golden questions lost its passage.
        canaries: the same of the canaries.
        canaries_gone: by day.
        recall: of the approximate search, and its target.
        days: the questions of each day.
        feedback: (useful, of all) now, and before.
        judge: what is said of the judge's last two exams; empty: it is the same, None: there are no two.
        in_corpus: whether some passage has a word.
        alarmed: for how many days before today each monitor has had an alarm: those are not what today is compared with.
    """

    golden: tuple[Sequence[Mapping[str, float]], Mapping[str, float]] = ((), {})
    golden_gone: Sequence[float] = ()
    canaries: tuple[Sequence[Mapping[str, float]], Mapping[str, float]] = ((), {})
    canaries_gone: Sequence[float] = ()
    recall: Interval = field(default_factory=lambda: Interval(None, None, None))
    recall_target: float = 0.95
    days: Sequence[Day] = ()
    feedback: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))
    judge: str | None = None
    in_corpus: Callable[[str], bool] = lambda _: True
    alarmed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """A reading with the cause it points to, where it is an alarm."""

    reading: Reading
    diagnosis: Diagnosis | None = None


def readings(facts: Facts, rule: Rule) -> list[Reading]:
    """What each monitor says, in the order of `NAMES`."""
    return [
        fallen_lately(GOLDEN, *facts.golden, rule),
        _burst(GOLDEN_PASSAGES, facts.golden_gone, "golden questions that lost their passage in a day", rule),
        fallen_lately(CANARIES, *facts.canaries, rule),
        _burst(CANARY_PASSAGES, facts.canaries_gone, "canaries that lost their passage in a day", rule),
        below(RECALL, facts.recall, facts.recall_target, "recall@10 of the approximate search"),
        fewer(FEEDBACK, *facts.feedback, rule, "answers called useful"),
        _judge(facts.judge),
        *_of_days(facts, rule),
    ]


def explained(found: Sequence[Reading], losses: Diagnosis | None, today: Sequence[Term] = ()) -> list[Finding]:
    """The alarms with their causes.

    Args:
        found: what the monitors say.
        losses: what became of the known questions that found less than before; None: none did, or nobody looked.
        today: the words that are new among the questions of today.
    """
    alarms = {reading.name for reading in found if reading.state == "alarm"}
    return [
        Finding(reading, _cause(reading.name, alarms, losses, today)) if reading.state == "alarm" else Finding(reading) for reading in found
    ]


def words_of_today(days: Sequence[Day], in_corpus: Callable[[str], bool]) -> list[Term]:
    """The words that are new among the questions of today."""
    return new_terms(days[-1].texts, frozenset[str]().union(*map(_words, days[:-1])), in_corpus) if days else []


def _cause(name: str, alarms: set[str], losses: Diagnosis | None, today: Sequence[Term]) -> Diagnosis:
    """What one alarm points to: known questions that find less say why; when they do not, people ask otherwise."""
    if name in _ALWAYS:
        cause = _ALWAYS[name]
        return losses if losses and losses.cause is cause else Diagnosis(cause)
    # A word that was asked for once may be a slip of the keyboard.
    there, beyond = (sum(term.questions for term in today if term.in_corpus is known and term.questions > 1) for known in (True, False))
    asked = Diagnosis(of_traffic(unknown_words=UNKNOWN in alarms, terms_in_corpus=there, terms_beyond=beyond))
    if name in _ASKED:
        return asked
    if losses and losses.cause is not Cause.UNKNOWN:
        return losses
    if RECALL in alarms:
        return Diagnosis(Cause.INDEX)
    if alarms & {GOLDEN_PASSAGES, CANARY_PASSAGES}:
        return Diagnosis(Cause.CORPUS)
    return asked if name in OF_TRAFFIC or alarms & _ASKED else Diagnosis(Cause.UNKNOWN)


def _burst(name: str, gone: Sequence[float], what: str, rule: Rule) -> Reading:
    """Documents change every day; many at once are another thing."""
    if not gone:
        return unmeasured(name, f"{what}: nothing is known")
    return unusual(name, gone[-1], gone[:-1], "high", rule, rule.matters, what)


def _judge(said: str | None) -> Reading:
    if said is None:
        return unmeasured(JUDGE, "no judge has passed its exam twice")
    return Reading(JUDGE, "alarm" if said else "ok", said or "the judge answers its exam as it did before")


def _of_days(facts: Facts, rule: Rule) -> list[Reading]:
    """The monitors of what people ask, and of what they get."""
    days = facts.days
    if not days:
        return [unmeasured(name, "no questions are known") for name in (QUESTIONS, TERMS, UNKNOWN, BEST, DECLINED, EMPTY)]
    today = days[-1]
    new_words = _told(words_of_today(days, facts.in_corpus), today)
    shares = _beyond(days, facts.in_corpus, rule)
    asked = [len(day.texts) for day in days]

    def series(name: str, values: Sequence[float], side: Side, matters: float, what: str, of: Sequence[int] | None = None) -> Reading:
        bad = min(facts.alarmed.get(name, 0), len(values) - 1, FORGIVEN)
        usual = [*values[: len(values) - 1 - bad], *[math.nan] * bad]
        return unusual(name, values[-1], usual, side, rule, matters, what, of)

    new = series(TERMS, shares, "high", 0.02, "questions with a new word that no passage has", asked)
    new = Reading(*(new.name, new.state, new.detail, new.effect, new.low, new.high, new.p), examples=new_words)
    return [
        strange(QUESTIONS, today.vectors, [day.vectors for day in days[:-1]], rule, today.texts),
        new,
        series(UNKNOWN, [_mean(day.unknown, rule) for day in days], "high", 0.03, "words that the model's tokenizer does not know"),
        series(BEST, [_mean(day.best, rule) for day in days], "low", 0.02, "mean of the best similarity found"),
        series(
            DECLINED,
            [_mean(day.declined, rule) for day in days],
            "high",
            0.05,
            "questions that got no answer",
            [len(day.declined) for day in days],
        ),
        series(EMPTY, [_mean(day.empty, rule) for day in days], "high", 0.02, "searches that found nothing", asked),
    ]


def _told(words: Sequence[Term], today: Day) -> tuple[str, ...]:
    """The new words, those that no passage has first, and then some questions with these."""
    beyond = [term.term for term in words if not term.in_corpus]
    return (*map(str, words[:SHOWN]), *questions_with(today.texts, beyond)[:QUESTIONS_SHOWN])


def _words(day: Day) -> frozenset[str]:
    return frozenset[str]().union(*map(terms, day.texts))


def _beyond(days: Sequence[Day], in_corpus: Callable[[str], bool], rule: Rule) -> list[float]:
    """Of each day the share of its questions with a word that no other day before today has, and no passage; nan of few."""
    words = [_words(day) for day in days]
    on_days = Counter(word for each in words[:-1] for word in each)
    here = [frozenset(word for word in each if on_days[word] > (place < len(days) - 1)) for place, each in enumerate(words)]
    return [
        share_beyond(day.texts, seen, in_corpus) if len(day.texts) >= rule.questions else math.nan
        for day, seen in zip(days, here, strict=True)
    ]


def _mean(values: Numbers, rule: Rule) -> float:
    """The mean of what is known; nan when that is too little."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) >= rule.questions else math.nan
