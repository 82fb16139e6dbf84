"""All monitors over what is known of an index and its traffic, and the cause each alarm points to (pure)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from evals import asked
from evals.asked import ASKED, BEST, DECLINED, EMPTY, UNKNOWN, Day
from evals.causes import Cause, Diagnosis, of_traffic
from evals.corpus import CORPUS, Corpus, corpus
from evals.drift import Reading, Rule, below, fallen_lately, fewer, unmeasured
from evals.intervals import Interval
from evals.terms import Term
from evals.unusual import unusual

GOLDEN, GOLDEN_PASSAGES = "golden questions", "golden passages"
CANARIES, CANARY_PASSAGES = "canaries", "canary passages"
RECALL, FEEDBACK, JUDGE = "recall", "feedback", "judge"
NAMES = (GOLDEN, GOLDEN_PASSAGES, CANARIES, CANARY_PASSAGES, CORPUS, RECALL, FEEDBACK, JUDGE, *asked.NAMES)
# Those that say that people get worse results; the others say that something else is otherwise.
OF_QUALITY = frozenset({GOLDEN, GOLDEN_PASSAGES, CANARIES, CANARY_PASSAGES, RECALL, FEEDBACK, BEST, DECLINED, EMPTY})
_ALWAYS = {JUDGE: Cause.JUDGE, RECALL: Cause.INDEX, **dict.fromkeys((GOLDEN_PASSAGES, CANARY_PASSAGES, CORPUS), Cause.CORPUS)}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the monitors look at; of each series the last one is of today, and nothing has been left out between.

    Attributes:
        golden: the value of each golden question in each of the last evaluations, the newest last; and before.
        golden_gone: by day, which share of the golden questions lost its passage.
        canaries: the same of the canaries.
        canaries_gone: by day.
        corpus: what became of the documents, by day; None where it is not known.
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
    corpus: Sequence[Corpus | None] = ()
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
        corpus(facts.corpus, facts.alarmed.get(CORPUS, 0), rule),
        below(RECALL, facts.recall, facts.recall_target, "recall@10 of the approximate search"),
        fewer(FEEDBACK, *facts.feedback, rule, "answers called useful"),
        _judge(facts.judge),
        *asked.of_days(facts.days, facts.in_corpus, facts.alarmed, rule),
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


def _cause(name: str, alarms: set[str], losses: Diagnosis | None, today: Sequence[Term]) -> Diagnosis:
    """What one alarm points to: known questions that find less say why; when they do not, people ask otherwise."""
    if name in _ALWAYS:
        cause = _ALWAYS[name]
        return losses if losses and losses.cause is cause else Diagnosis(cause)
    # A word that was asked for once may be a slip of the keyboard.
    there, beyond = (sum(term.questions for term in today if term.in_corpus is known and term.questions > 1) for known in (True, False))
    questions = Diagnosis(of_traffic(unknown_words=UNKNOWN in alarms, terms_in_corpus=there, terms_beyond=beyond))
    if name in ASKED:
        return questions
    if losses and losses.cause is not Cause.UNKNOWN:
        return losses
    if RECALL in alarms:
        return Diagnosis(Cause.INDEX)
    if alarms & {GOLDEN_PASSAGES, CANARY_PASSAGES} or (CORPUS in alarms and not alarms & ASKED):
        return Diagnosis(Cause.CORPUS)
    return questions if name in asked.NAMES or alarms & ASKED else Diagnosis(Cause.UNKNOWN)


def _burst(name: str, gone: Sequence[float], what: str, rule: Rule) -> Reading:
    """Documents change every day; many at once are another thing."""
    if not gone:
        return unmeasured(name, f"{what}: nothing is known")
    return unusual(name, gone[-1], gone[:-1], "high", rule, rule.matters, what)


def _judge(said: str | None) -> Reading:
    if said is None:
        return unmeasured(JUDGE, "no judge has passed its exam twice")
    return Reading(JUDGE, "alarm" if said else "ok", said or "the judge answers its exam as it did before")
