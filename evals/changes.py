"""Which questions find more, and which less, than in the evaluation before (pure)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evals.chart import COMPARABLE
from evals.prove import values_of
from index.evaluations import Evaluation

# Less is the rounding of a mean.
CHANGED = 1e-6
# Each has the rows of all its questions: more would be read for long.
LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class Change:
    """One question: its nDCG@10 before and now."""

    id: str
    question: str
    was: float
    now: float

    @property
    def by(self) -> float:
        """More than 0: it won."""
        return self.now - self.was


@dataclass(frozen=True, slots=True)
class Changes:
    """The questions that two evaluations have measured.

    Attributes:
        before, after: the evaluations.
        won, lost: the largest changes first.
        same: how many changed in nothing.
        unmeasured: how many only one of the two has measured.
    """

    before: Evaluation
    after: Evaluation
    won: tuple[Change, ...]
    lost: tuple[Change, ...]
    same: int
    unmeasured: int

    def as_json(self) -> dict[str, Any]:
        """As it is shown over HTTP."""
        ends = {
            name: {"evaluation": each.id, "release": each.release, "at": each.ended_at}
            for name, each in (("before", self.before), ("after", self.after))
        }
        moved = {name: [asdict(each) for each in changes] for name, changes in (("won", self.won), ("lost", self.lost))}
        return {"dataset": self.after.dataset, "metric": "nDCG@10", **ends, **moved, "same": self.same, "unmeasured": self.unmeasured}


def between(before: Evaluation, after: Evaluation) -> Changes | None:
    """What changed between two evaluations with their questions; None where they asked other questions."""
    was, now = values_of(before), values_of(after)
    asked = _asked(before) & _asked(after)
    if not asked or len(asked) < COMPARABLE * max(len(_asked(before)), len(_asked(after))):
        return None
    shared = was.keys() & now.keys() & {identifier for identifier, _ in asked}
    texts = dict(asked)
    moved = [Change(each, texts[each], was[each], now[each]) for each in sorted(shared)]
    won = sorted((each for each in moved if each.by > CHANGED), key=lambda each: -each.by)
    lost = sorted((each for each in moved if each.by < -CHANGED), key=lambda each: each.by)
    one_only = (was.keys() ^ now.keys()) & {identifier for identifier, _ in asked}
    return Changes(before, after, tuple(won), tuple(lost), len(moved) - len(won) - len(lost), len(one_only))


def newest(candidates: Sequence[Evaluation], whole: Callable[[str], Evaluation | None]) -> Changes | None:
    """The changes between the two newest evaluations, of different releases, that asked the same questions.

    Args:
        candidates: evaluations of what was live, on one golden set, newest first, without their questions.
        whole: one with them, by its id.
    """
    after = whole(candidates[0].id) if candidates else None
    if after is None:
        return None
    others = [each for each in candidates[1:] if each.release != after.release]
    for each in others[:LOOKED_AT]:
        before = whole(each.id)
        if before and (found := between(before, after)):
            return found
    return None


def _asked(evaluation: Evaluation) -> set[tuple[str, str]]:
    rows: Iterable[Mapping[str, Any]] = evaluation.questions
    return {(row["id"], row["question"]) for row in rows}
