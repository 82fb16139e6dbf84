"""What became of the documents of an index in a day: how many came, changed and went, and in which languages they are (pure)."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from evals.drift import Reading, Rule, unmeasured
from evals.nearest_day import shift
from evals.unusual import Scale, unusual, without

CORPUS = "corpus"
# A sweep asks before it removes a tenth of a source. Days differ by factors: of less than a hundredth it does not matter how many times.
MOVED, BY_FACTORS = 0.1, Scale(0.01)
# Of a day to the next. Some passages stand for all of them, which says no more than about a twentieth.
SHIFTED, OF_A_SAMPLE = 0.05, Scale(0.02)
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Corpus:
    """The documents that are served, beside those of 24 hours before.

    Attributes:
        before: how many there were.
        added, changed, removed: how many since then; changed: their content is another one.
        languages: of a sample of passages, how many are in each (ISO 639-1).
        sources: where most of it happened, for people.
    """

    before: int
    added: int = 0
    changed: int = 0
    removed: int = 0
    languages: Mapping[str, int] = field(default_factory=dict)
    sources: tuple[str, ...] = ()

    @property
    def moved(self) -> float:
        """Which share of all documents, those that went included, is not as it was; nan where there was nothing before."""
        return (self.added + self.changed + self.removed) / (self.before + self.added) if self.before else math.nan

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        # `asdict` makes a Counter of the pairs of one.
        return asdict(replace(self, languages=dict(self.languages)))

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        """What was stored."""
        return cls(**{**row, "sources": tuple(row["sources"])})


def compared(before: pa.Table, now: pa.Table, languages: Mapping[str, int]) -> Corpus:
    """The documents of two times (doc_id, indexed_hash, source), compared by what they hold."""
    both = now.join(before, "doc_id", join_type="full outer", right_suffix="_before")
    is_new, is_gone = pc.is_null(both["indexed_hash_before"]), pc.is_null(both["indexed_hash"])
    is_other = pc.fill_null(pc.not_equal(both["indexed_hash"], both["indexed_hash_before"]), fill_value=False)
    groups = {"added": both.filter(is_new), "changed": both.filter(is_other), "removed": both.filter(is_gone)}
    found = Corpus(before.num_rows, **{kind: rows.num_rows for kind, rows in groups.items()}, languages=languages)
    return replace(found, sources=_sources(groups))


def corpus(days: Sequence[Corpus | None], alarmed: int, rule: Rule) -> Reading:
    """Whether more documents changed than on other days, or the languages that they are in; each has half of the rule's chances.

    Args:
        days: of each day, in their order, today last; None where nothing is known.
        alarmed: for how many days before today there has been an alarm.
        rule: how sure it must be.
    """
    today = days[-1] if days else None
    if today is None:
        return unmeasured(CORPUS, "nothing is known of the documents of a day before")
    half = replace(rule, monitors=rule.monitors * 2)

    def usual(values: Sequence[float], matters: float, scale: Scale, what: str) -> Reading:
        return unusual(CORPUS, values[-1], without(values, alarmed), "high", half, matters, what, scale=scale)

    what = f"documents that came ({today.added}), changed ({today.changed}) or went ({today.removed}) in a day"
    moved = usual([math.nan if day is None else day.moved for day in days], MOVED, BY_FACTORS, what)
    shifted = usual(list(_shifts(days, rule)), SHIFTED, OF_A_SAMPLE, "passages that are in another language than a day before")
    if moved.state != "alarm" and shifted.state == "alarm":
        return replace(shifted, examples=_told(days[-2:]))
    return replace(moved, examples=today.sources if moved.state == "alarm" else ())


def _shifts(days: Sequence[Corpus | None], rule: Rule) -> Iterator[float]:
    """By how much the languages of each day differ from those of the day before; nan where one of them is not known."""
    yield math.nan
    for before, now in pairwise(days):
        known = before and now and min(sum(each.languages.values()) for each in (before, now)) >= rule.questions
        yield shift(now.languages, before.languages) if before and now and known else math.nan


def _told(days: Iterable[Corpus | None]) -> tuple[str, ...]:
    """The languages of two days, those that most passages are in first."""
    was, now = (Counter({} if day is None else day.languages) for day in days)
    names = sorted(was.keys() | now.keys(), key=lambda name: (-now[name], name))
    return tuple(f"{name}: {now[name] / now.total():.0%} of the passages, {was[name] / was.total():.0%} before" for name in names[:SHOWN])


def _sources(groups: Mapping[str, pa.Table]) -> tuple[str, ...]:
    """How many documents of each source came, changed and went, the most first."""
    found: dict[str, dict[str, int]] = {}
    for kind, rows in groups.items():
        for source in pc.value_counts(pc.coalesce(rows["source"], rows["source_before"])).to_pylist():
            found.setdefault(source["values"], {})[kind] = source["counts"]
    most = sorted(found.items(), key=lambda each: (-sum(each[1].values()), each[0]))
    return tuple(f"{source}: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}" for source, kinds in most[:SHOWN])
