"""What people ask, and what they get, beside other days (pure)."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evals.drift import Numbers, Reading, Rule, unmeasured
from evals.nearest_day import mixed, strange
from evals.terms import QUESTIONS_SHOWN, SHOWN, Term, new_terms, questions_with, share_beyond, terms
from evals.unusual import FORGIVEN, Scale, Side, unusual, without

QUESTIONS, TERMS, LENGTH, LANGUAGES, UNKNOWN = "questions", "new terms", "question length", "question languages", "unknown words"
BEST, DECLINED, EMPTY = "best scores", "declined answers", "empty results"
NAMES = (QUESTIONS, TERMS, LENGTH, LANGUAGES, UNKNOWN, BEST, DECLINED, EMPTY)
# What people ask; the others are what they get.
ASKED = frozenset({QUESTIONS, TERMS, LENGTH, LANGUAGES, UNKNOWN})
# As a share of the usual length.
OTHER_LENGTH = 0.25
OTHER_LANGUAGE = 0.1
LONGEST_SHOWN = 200


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
        lengths: in tokens; nan where they were not counted.
        languages: of those whose language can be told, how many are in each (ISO 639-1).
    """

    texts: Sequence[str]
    vectors: Numbers
    best: Numbers
    empty: Numbers
    declined: Numbers
    unknown: Numbers
    lengths: Numbers
    languages: Mapping[str, int]


def words_of_today(days: Sequence[Day], in_corpus: Callable[[str], bool]) -> list[Term]:
    """The words that are new among the questions of today."""
    return new_terms(days[-1].texts, frozenset[str]().union(*map(_words, days[:-1])), in_corpus) if days else []


def of_days(days: Sequence[Day], in_corpus: Callable[[str], bool], alarmed: Mapping[str, int], rule: Rule) -> list[Reading]:
    """What each monitor of what people ask, and of what they get, says, in the order of `NAMES`."""
    if not days:
        return [unmeasured(name, "no questions are known") for name in NAMES]
    today = days[-1]
    new_words = _told(words_of_today(days, in_corpus), today)
    shares = _beyond(days, in_corpus, rule)
    asked = [len(day.texts) for day in days]

    def series(name: str, values: Sequence[float], side: Side, matters: float, what: str, of: Sequence[int] | None = None) -> Reading:
        return unusual(name, values[-1], without(values, alarmed.get(name, 0)), side, rule, matters, what, of)

    new = series(TERMS, shares, "high", 0.02, "questions with a new word that no passage has", asked)
    new = Reading(*(new.name, new.state, new.detail, new.effect, new.low, new.high, new.p), examples=new_words)
    return [
        strange(QUESTIONS, today.vectors, [day.vectors for day in days[:-1]], rule, today.texts),
        new,
        _length(days, alarmed.get(LENGTH, 0), rule),
        _languages(days, alarmed.get(LANGUAGES, 0), rule),
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


def _length(days: Sequence[Day], alarmed: int, rule: Rule) -> Reading:
    """Whether questions are longer, or shorter: their geometric mean, for lengths differ by factors."""
    means = [_mean(np.log(day.lengths), rule) for day in days]
    lengths = [math.exp(mean) for mean in means]
    usual = without(lengths, alarmed)
    matters = OTHER_LENGTH * float(np.nanmean(usual)) if not all(map(math.isnan, usual)) else 0.0
    found = unusual(LENGTH, lengths[-1], usual, "both", rule, matters, "tokens of a question", scale=Scale(0.0))
    if found.state != "alarm":
        return found
    told = [each for each in zip(days[-1].lengths, days[-1].texts, strict=True) if not math.isnan(each[0])]
    today = sorted(told, reverse=(found.effect or 0.0) > 0)
    return replace(found, examples=tuple(dict.fromkeys(text[:LONGEST_SHOWN] for _, text in today))[:QUESTIONS_SHOWN])


def _languages(days: Sequence[Day], alarmed: int, rule: Rule) -> Reading:
    before = days[: len(days) - 1 - min(alarmed, len(days) - 1, FORGIVEN)]
    known = "questions whose language can be told"
    return mixed(LANGUAGES, days[-1].languages, [day.languages for day in before], rule, OTHER_LANGUAGE, known)


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
