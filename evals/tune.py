"""The cheapest search settings that reach the recall target, found on the live data."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from evals.recall import K, Probe, Recall, measure, probe, questions
from index.embedder import Embedder
from index.policy import IndexPolicy, SearchSettings
from index.releases import Shape
from index.search import View
from index.store import Store

BY = "tune"
QUESTIONS = 200

REFINE_FACTORS = (2, 3, 5, 10, 20)
FEWEST_PROBES = 4
STEP = 1.25


@dataclass(frozen=True, slots=True)
class Tuning:
    """The chosen settings with what they reach, and all that was tried: the trade-off curve.

    `reached` is False when even the most thorough settings miss the target; those are chosen then.
    """

    chosen: Recall
    reached: bool
    tried: Sequence[Recall]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of the live search found: its recall, and the settings that replace its own, if any do."""

    rows: int
    questions: int
    live: Recall
    tuning: Tuning | None


def check(store: Store, policy: IndexPolicy, embedder: Embedder, *, anew: bool = False) -> Checked | None:
    """Measures the recall of the newest rows as they are searched now, and looks for better settings when they are due.

    They are when nothing was measured since the index was made, when the rows have grown by a fifth, when the recall has fallen
    below the target, or when they are asked for `anew`. None when every search looks at all rows. The store must be one that serves:
    without the index in memory other settings would be the fastest.
    """
    store.log.refresh()
    live = store.log.live()
    shape, view = store.log.shape(live.generation), store.head(live.generation)
    if shape is None or view.vector_index is None:
        return None
    view.prewarm()  # as where it is served: what is timed is the search, not the reading of the index
    exam = probe(view, questions(view, embedder, QUESTIONS, store.golden))
    measured = measure(view, exam, view.settings)
    checked = Checked(view.release.rows, len(exam.vectors), measured, None)
    if not anew and not is_due(shape, view.release.rows, measured, policy):
        return checked
    tuning = tune(view, exam, view.vector_index.partitions, policy.recall_target)
    note(store, shape.generation, view.release.rows, tuning)
    return Checked(checked.rows, checked.questions, measured, tuning)


def is_due(shape: Shape, rows: int, measured: Recall, policy: IndexPolicy) -> bool:
    """Whether the settings should be looked for anew."""
    if shape.tuning is None or rows >= shape.tuning["rows"] * policy.retune_growth:
        return True
    # The mean, not the lower end that settings are chosen by: another sample of questions must not bring others each night.
    return (measured.recall.mean or 0.0) < policy.recall_target and bool(shape.tuning["reached"])


def note(store: Store, generation: str, rows: int, tuning: Tuning) -> None:
    """Has the releases from now on searched with the chosen settings."""
    settings = tuning.chosen.settings
    detail = {
        "generation": generation,
        "rows": rows,
        **(asdict(settings) if settings else {}),
        "reached": tuning.reached,
        f"recall@{K}": asdict(tuning.chosen.recall),
        "p50_ms": round(tuning.chosen.p50_ms, 2),
    }
    store.log.append("tuned", 0, BY, detail=detail)


def tune(view: View, probe: Probe, partitions: int, target: float) -> Tuning:
    """Tries settings on the questions of a probe until the cheapest is found whose recall is above the target.

    Args:
        view: what is searched.
        probe: the questions, with their true nearest passages.
        partitions: how many the index has.
        target: the least recall@10, at the lower end of its 95 % interval.
    """
    return choose(lambda settings: measure(view, probe, settings), partitions, target)


def choose(try_out: Callable[[SearchSettings], Recall], partitions: int, target: float) -> Tuning:
    """The fastest of those settings that reach the target, one for each refine factor: the fewest partitions that do, by bisection."""
    tried: dict[SearchSettings, Recall] = {}

    def reaches(settings: SearchSettings) -> bool:
        if settings not in tried:
            tried[settings] = try_out(settings)
        return (tried[settings].recall.low or 0.0) >= target

    ladder = list(probe_counts(partitions))
    fitting: list[SearchSettings] = []
    for refine_factor in REFINE_FACTORS:
        low, high = 0, len(ladder)
        while low < high:
            middle = (low + high) // 2
            if reaches(SearchSettings(ladder[middle], refine_factor)):
                high = middle
            else:
                low = middle + 1
        if low < len(ladder):
            fitting.append(SearchSettings(ladder[low], refine_factor))
    if not fitting:
        thorough = SearchSettings(ladder[-1], REFINE_FACTORS[-1])
        reaches(thorough)
        return Tuning(tried[thorough], reached=False, tried=list(tried.values()))
    best = min((tried[settings] for settings in fitting), key=lambda found: found.p50_ms)
    return Tuning(best, reached=True, tried=list(tried.values()))


def probe_counts(partitions: int) -> Iterator[int]:
    """How many partitions may be looked into: each a quarter more than the one before, up to all."""
    count = min(FEWEST_PROBES, partitions)
    while count < partitions:
        yield count
        count = max(count + 1, round(count * STEP))
    yield partitions
