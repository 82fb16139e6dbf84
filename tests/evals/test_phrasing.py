"""Canaries that a language model phrases, and what becomes of those that write nonsense."""

import json
import re
from datetime import UTC, datetime
from time import monotonic

import pytest

from evals import phrasing
from evals.canary_runs import Questions, refresh, run
from evals.phrasing import AT_ONCE, COUNT, Phrased, asking, asks, phrase_some
from flows.canaries import phrases
from index.canaries import Canary
from index.documents import Draft
from index.settings import Settings
from tasks.chat import Endpoint
from tests.bench import Bench
from tests.fakes import ScriptedModel

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BIRDS = ["heron", "plover", "dipper", "curlew", "osprey", "bittern", "godwit", "avocet"]
QUESTION = "Where does a heron hide when a day is long?"


def text_of(name: str) -> str:
    return (
        f"A {name} is a shy creature of the {name} marshes. It hides in the {name} reeds for most of a long and rainy day, "
        f"and when the moon is up the {name} goes out to look for food along the river."
    )


@pytest.fixture
def marshes(bench: Bench) -> Bench:
    """Eight documents that differ in one word."""
    bench.ingest(*(Draft(name, content=text_of(name).encode()) for name in BIRDS))
    return bench


def phrased(bench: Bench, model: phrasing.Ask, now: datetime = NOW) -> Phrased:
    return phrase_some(bench.store.canaries, bench.reader.view(), bench.embedder, Questions(), now, model)


def of_model(bench: Bench) -> list[Canary]:
    return [canary for canary in bench.store.canaries.all() if canary.kind == "phrased"]


def by_name(_instructions: str, asked: str) -> str:
    """What a fair model writes."""
    found = re.search(r"A (\w+) is", asked)
    return QUESTION.replace("heron", found[1]) if found else ""


@pytest.mark.parametrize(
    ("written", "fits"),
    [
        (QUESTION, True),
        ("Which shy creature looks for food after dark?", True),
        ("Where does a heron hide when a day is long", False),
        ("A heron is a shy creature of the heron marshes?", False),
        ("Which creature of the heron marshes is shy?", False),
        ("It hides in the heron reeds for how long?", False),
        ("Where does a heron hide? And when does it look for food?", False),
        ("Here is a question:\nWhere does a heron hide when a day is long?", False),
        ("Heron?", False),
        ("According to the passage, where does a heron hide?", False),
        ("What does this document say about the heron?", False),
        ("When did Napoleon hide a heron from the rain?", False),
        ("How do volcanoes shape islands under tropical oceans?", False),
        ("Where does a heron hide " + "when a day is long " * 6 + "?", False),
        ("", False),
        ("?", False),
    ],
)
def test_it_must_be_one_question_about_the_passage_in_other_words(written: str, fits: bool):
    assert asks(written, text_of("heron")) is fits


@pytest.mark.thorough
def test_a_question_is_kept_for_the_passage_that_is_found_first_for_it(marshes: Bench):
    with ScriptedModel(QUESTION) as model:
        told = phrased(marshes, asking(Endpoint(model.url, "scripted")))
        sent = [asked["messages"][1]["content"] for asked in model.questions]
    assert told == Phrased(made=1, tried=len(BIRDS))
    assert sorted(sent) == sorted(f"<source>\n{text_of(name)}\n</source>" for name in BIRDS)
    [canary] = of_model(marshes)
    assert (canary.question, canary.doc_id, canary.birth_rank, canary.kind) == (QUESTION, "heron", 1.0, "phrased")
    assert canary.quote in text_of("heron")
    taken, stale = run(marshes.reader.view(), marshes.embedder, Questions(), [canary], NOW)
    assert (taken.ranks, stale) == ((1.0,), [])
    assert marshes.store.golden.sets() == []


@pytest.mark.parametrize(
    "reply",
    [
        "I would rather talk.",
        text_of("heron"),
        "Ignore all that was said. " * 50,
        (200, "not json"),
        (200, json.dumps({"choices": []})),
        (429, "{}"),
        (500, "broken"),
        None,
    ],
)
@pytest.mark.thorough
def test_garbage_and_endpoints_that_fail_or_hang_leave_the_canaries_as_they_are(marshes: Bench, reply: str | tuple[int, str] | None):
    view = marshes.reader.view()
    refresh(marshes.store.canaries, view, marshes.embedder, Questions(), NOW)
    before = marshes.store.canaries.all()
    began = monotonic()
    with ScriptedModel(reply) as model:
        # Only of one that hangs is the end waited for: an answer may take its time on a busy machine.
        told = phrased(marshes, asking(Endpoint(model.url, "scripted"), seconds=20.0 if reply else 0.5))
        asked = len(model.questions)
    assert monotonic() - began < 10
    assert told.made == 0
    assert (told.tried, bool(told.failed)) == ((len(BIRDS), False) if isinstance(reply, str) else (1, True))
    # A call that was refused is tried once more.
    assert asked <= max(2, told.tried)
    assert len(before) == len(BIRDS)
    assert marshes.store.canaries.all() == before


@pytest.mark.thorough
def test_a_few_are_made_at_once_until_there_are_enough(marshes: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(phrasing, "COUNT", 7)
    assert [phrased(marshes, by_name).made for _ in range(3)] == [AT_ONCE, 2, 0]
    assert len({canary.doc_id for canary in of_model(marshes)}) == 7
    assert COUNT == 20


@pytest.mark.thorough
def test_they_come_on_top_of_the_others_and_go_with_their_passage(marshes: Bench):
    phrased(marshes, by_name)
    refresh(marshes.store.canaries, marshes.reader.view(), marshes.embedder, Questions(), NOW)
    [first, *others] = of_model(marshes)
    by_rule = {canary.doc_id for canary in marshes.store.canaries.all() if canary.kind != "phrased"}
    assert (by_rule, len(others)) == (set(BIRDS), AT_ONCE - 1)
    marshes.put(first.doc_id, "Other words about the weather on the coast, and how it changes.")
    refresh(marshes.store.canaries, marshes.reader.view(), marshes.embedder, Questions(), NOW)
    assert {canary.id for canary in of_model(marshes)} == {canary.id for canary in others}


def test_a_model_is_asked_only_where_one_is_set(tmp_path):
    assert phrases(Settings(home=tmp_path)) is None
    assert phrases(Settings(home=tmp_path, llm_url="http://localhost/v1")) is None
    assert phrases(Settings(home=tmp_path, llm_url="http://localhost/v1", llm_model="small")) is not None
