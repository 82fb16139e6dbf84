"""Documents that come, change and go: many at once, or in another language."""

import json
import math
from collections import Counter

import pyarrow as pa
import pytest

from evals.corpus import Corpus, compared, corpus
from evals.drift import Rule

RULE = Rule()
ENGLISH = {"en": 990, "de": 10}


def contents(**hashes: str) -> pa.Table:
    """Documents by id; the first letter of the id is its source."""
    kinds = pa.schema([(name, pa.string()) for name in ("doc_id", "indexed_hash", "source")])
    return pa.table([list(hashes), list(hashes.values()), [name[0] for name in hashes]], schema=kinds)


def test_documents_are_compared_by_what_they_hold():
    found = compared(contents(a1="x", a2="y", b1="z"), contents(a1="x", a2="Y", c1="n", c2="m"), ENGLISH)
    assert (found.before, found.added, found.changed, found.removed) == (3, 2, 1, 1)
    assert found.moved == pytest.approx(4 / 5)
    assert found.sources == ("c: 2 added", "a: 1 changed", "b: 1 removed")
    assert Corpus.from_json(found.as_json()) == found
    assert math.isnan(compared(contents(), contents(a1="x"), {}).moved)


def test_counted_languages_are_stored_as_json():
    found = compared(contents(a1="x"), contents(a1="x", a2="y"), Counter(["en", "en", "de"]))
    assert Corpus.from_json(json.loads(json.dumps(found.as_json()))).languages == {"en": 2, "de": 1}


def usual(count: int) -> list[Corpus]:
    """Days of a corpus that grows and is edited, on some days ten times as much as on others."""
    return [Corpus(1000, added=5 * (1 + day % 4), changed=(10, 1, 40, 3, 20)[day % 5], languages=ENGLISH) for day in range(count)]


@pytest.mark.parametrize("today", [Corpus(1000, 80, 10), Corpus(1000, changed=90), Corpus(1000, 30, 30, 20)])
def test_a_busy_day_of_a_corpus_that_grows_and_is_edited_is_no_alarm(today: Corpus):
    assert corpus([*usual(20), today], 0, RULE).state == "ok"


@pytest.mark.parametrize("today", [Corpus(1000, added=900), Corpus(1000, changed=400), Corpus(1000, removed=500)])
def test_a_part_of_all_documents_at_once_is_an_alarm_that_names_the_sources(today: Corpus):
    found = corpus([*usual(20), Corpus(*(today.before, today.added, today.changed, today.removed), sources=("wiki: all",))], 0, RULE)
    assert (found.state, found.examples) == ("alarm", ("wiki: all",))
    assert f"changed ({today.changed})" in found.detail


def test_what_happens_each_day_is_usual_however_much_it_is():
    assert corpus([*[Corpus(1000, changed=900 + day) for day in range(9)], Corpus(1000, changed=990)], 0, RULE).state == "ok"


def test_passages_in_another_language_are_an_alarm_though_few_documents_came():
    found = corpus([*usual(20), Corpus(1000, 50, languages={"en": 880, "de": 120})], 0, RULE)
    assert (found.state, found.effect) == ("alarm", pytest.approx(0.11))
    assert found.examples == ("en: 88% of the passages, 99% before", "de: 12% of the passages, 1% before")


def test_days_that_are_not_known_say_nothing():
    assert corpus([], 0, RULE).state == "unmeasured"
    assert corpus([*usual(20), None], 0, RULE).state == "unmeasured"
    assert corpus([*usual(6), Corpus(1000, 900)], 0, RULE).state == "unmeasured"
    assert corpus([*[None] * 9, *usual(7), Corpus(1000, changed=900)], 0, RULE).state == "alarm"


def test_days_with_an_alarm_are_not_what_is_usual():
    days = [*usual(14), Corpus(1000, changed=900), Corpus(1000, changed=900)]
    assert corpus(days, 1, RULE).state == "alarm"
