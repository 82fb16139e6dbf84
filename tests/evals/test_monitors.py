"""Checks of a real index over simulated weeks: what breaks raises an alarm that names its cause, and is over when it is mended."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from evals.alarms import Check, Status
from evals.evaluate import Request, evaluate
from evals.intervals import Interval
from evals.monitors import look, note_recall
from index.documents import Draft
from index.embedder import Vectors
from index.golden import GoldenQuestion, Passage
from index.queries import Asked
from tests.bench import Bench, trusting_tools
from tests.fakes import HashingEmbedder

pytestmark = pytest.mark.thorough

WORDS = "apple pear plum cherry quince medlar grape currant walnut almond fig date olive peach melon lemon".split()  # noqa: SIM905 - it reads better
DOCUMENTS = 60
DAYS = 10
START = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Fluent(HashingEmbedder):
    """Knows that "zapple" means "apple": what is asked in such words is found by its vector alone."""

    def embed_query(self, text: str) -> Vectors:
        return super().embed_query(" ".join(word.removeprefix("z") for word in text.split()))


class Clock(datetime):
    """What the release log takes for the time."""

    current = START

    @classmethod
    def now(cls, tz: object = None) -> datetime:
        return cls.current


@pytest.fixture(scope="module")
def quiet_days(tmp_path_factory) -> Path:
    """The folder of an index with ten days that had an evaluation each, of sixty golden questions."""
    folder = tmp_path_factory.mktemp("orchard") / "index"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("index.release_log.datetime", Clock)
        Clock.current = START
        bench = opened(folder)
        bench.ingest(*(Draft(f"d{n}", content=text_of(n).encode()) for n in range(DOCUMENTS)))
        questions = (GoldenQuestion(f"q{n:02}", asked_about(n), (Passage(f"d{n}", text_of(n)),), None) for n in range(DOCUMENTS))
        bench.store.golden.put("default", list(questions))
        for day in range(DAYS):
            measured(bench, START + day * DAY)
    return folder


@pytest.fixture
def orchard(quiet_days, tmp_path, monkeypatch) -> Bench:
    """The day after: from here on releases are made when the clock says."""
    monkeypatch.setattr("index.release_log.datetime", Clock)
    Clock.current = START
    shutil.copytree(quiet_days, tmp_path / "index")
    return opened(tmp_path / "index")


def opened(folder: Path) -> Bench:
    embedder = Fluent()
    return Bench.open(folder, trusting_tools(embedder), embedder)


def words_of(number: int) -> list[str]:
    return [*np.random.default_rng(number).permutation(WORDS)[:6], f"farmer{number}"]


def text_of(number: int) -> str:
    return f"The {' '.join(words_of(number))} grow."


def asked_about(number: int) -> str:
    return " ".join(f"z{word}" for word in words_of(number))


def measured(bench: Bench, at: datetime) -> None:
    bench.reader.follow()
    found = evaluate(bench.reader, bench.embedder, Request(f"{at:%m%d%H}", golden=bench.store.golden))
    bench.store.evaluations.write(replace(found, started_at=at, ended_at=at))


def checked(bench: Bench, at: datetime) -> Check:
    bench.reader.follow()
    return look(bench.store, bench.reader, bench.embedder, at, target=0.95)


def the_day_after(bench: Bench) -> datetime:
    """Lets the release log be at the day after the quiet ones."""
    Clock.current = START + DAYS * DAY
    return Clock.current + timedelta(hours=1)


def status(check: Check, name: str) -> Status:
    return next(each for each in check.monitors if each.name == name)


def alarms(check: Check) -> set[str]:
    return {each.name for each in check.monitors if each.state == "alarm"}


def test_quiet_days_raise_no_alarm_and_what_is_not_known_is_unmeasured(orchard: Bench):
    check = checked(orchard, START + (DAYS - 1) * DAY + timedelta(hours=1))
    assert alarms(check) == set()
    assert status(check, "golden questions").effect == pytest.approx(0.0)
    assert status(check, "canaries").state == "unmeasured"
    assert status(check, "questions").state == "unmeasured"
    stored = orchard.store.drift.newest()
    assert stored is not None
    assert stored[1]["worse"] is False


def spoil(bench: Bench, share: float) -> int:
    """A release in which some passages have the vectors of others."""
    hit = [chunk for n in range(int(DOCUMENTS * share)) for chunk in bench.publisher.table.of_documents([f"d{n}"])[f"d{n}"]]
    vectors = bench.embedder.embed([chunk.embedded_text for chunk in hit])
    swapped = np.roll(vectors, 5, axis=0)
    bench.publisher.table.upsert(hit, {chunk.text_hash: vector for chunk, vector in zip(hit, swapped, strict=True)})
    release = bench.publisher.publish_maintenance()
    assert release is not None
    return release.number


def test_passages_that_stand_before_those_that_answer_are_named_though_nothing_is_lost_of_ten(orchard: Bench):
    now = the_day_after(orchard)
    orchard.ingest(*(Draft(f"rival{n}", content=" ".join(words_of(n)).encode()) for n in range(30)))
    bad = orchard.live.number
    orchard.put("later", "Something else about the harbour.")
    measured(orchard, now)
    golden = status(checked(orchard, now), "golden questions")
    assert golden.state == "alarm"
    assert (golden.cause, golden.release) == ("the corpus changed", bad)


def test_vectors_of_other_texts_are_a_bad_batch_with_the_release_where_it_began(orchard: Bench):
    now = the_day_after(orchard)
    bad = spoil(orchard, 0.4)
    orchard.put("later", "Something else about the harbour.")
    measured(orchard, now)
    check = checked(orchard, now)
    assert alarms(check) == {"golden questions"}
    found = status(check, "golden questions")
    assert (found.cause, found.release, found.since) == ("a bad batch", bad, START + DAYS * DAY)
    assert found.effect is not None
    assert found.effect < -0.2
    assert found.examples[0].startswith("z")
    assert check.as_json()["worse"] is True


def test_on_the_first_day_it_is_compared_with_the_evaluation_before(tmp_path, monkeypatch):
    monkeypatch.setattr("index.release_log.datetime", Clock)
    Clock.current = START
    bench = opened(tmp_path / "index")
    bench.ingest(*(Draft(f"d{n}", content=text_of(n).encode()) for n in range(DOCUMENTS)))
    questions = (GoldenQuestion(f"q{n:02}", asked_about(n), (Passage(f"d{n}", text_of(n)),), None) for n in range(DOCUMENTS))
    bench.store.golden.put("default", list(questions))
    measured(bench, START + timedelta(hours=1))
    Clock.current = START + timedelta(hours=2)
    bad = spoil(bench, 0.4)
    measured(bench, START + timedelta(hours=3))
    found = status(checked(bench, START + timedelta(hours=3)), "golden questions")
    assert (found.state, found.cause, found.release) == ("alarm", "a bad batch", bad)
    again = status(checked(bench, START + timedelta(hours=4)), "golden questions")
    assert (again.state, again.since) == ("alarm", START + timedelta(hours=2))


def test_replaced_documents_are_an_alarm_though_their_questions_are_not_scored(orchard: Bench):
    now = the_day_after(orchard)
    orchard.ingest(*(Draft(f"d{n}", content=f"Nothing of this is said any more, {n} times.".encode()) for n in range(20)))
    bad = orchard.live.number
    measured(orchard, now)
    check = checked(orchard, now)
    found = status(check, "golden passages")
    assert (found.state, found.cause, found.release) == ("alarm", "the corpus changed", bad)
    assert status(check, "golden questions").state == "ok"


def test_lost_recall_is_told_and_over_when_it_is_measured_better_twice(orchard: Bench):
    now = the_day_after(orchard)
    note_recall(orchard.store, now, Interval(0.80, 0.78, 0.82))
    check = checked(orchard, now)
    assert (alarms(check), status(check, "recall").cause) == ({"recall"}, "the index lost recall")
    note_recall(orchard.store, now + timedelta(hours=1), Interval(0.97, 0.96, 0.98))
    first, second = (checked(orchard, now + timedelta(hours=hours)) for hours in (2, 3))
    assert (alarms(first), alarms(second)) == ({"recall"}, set())
    assert second.closed == ("recall",)


def test_many_new_documents_are_told_with_their_sources_and_nobody_is_said_to_get_worse_results(orchard: Bench):
    for day in range(2, DAYS):
        Clock.current = START + day * DAY - timedelta(hours=1)
        orchard.put(f"new{day}", f"Today is day {day}.")
        checked(orchard, START + day * DAY)
    now = the_day_after(orchard)
    orchard.ingest(*(Draft(f"more{n}", content=f"There are {n} bridges over the canal.".encode(), source="bridges") for n in range(60)))
    measured(orchard, now)
    check = checked(orchard, now)
    found = status(check, "corpus")
    assert (alarms(check), found.cause, found.release) == ({"corpus"}, "the corpus changed", None)
    assert found.examples == ("bridges: 60 added",)
    assert (check.as_json()["worse"], check.worst) == (False, None)
    later = [checked(orchard, now + timedelta(hours=hours)) for hours in (25, 26)]
    assert later[1].closed == ("corpus",)


def test_longer_questions_and_those_in_another_language_are_told_of_with_examples(orchard: Bench):
    for day in range(DAYS):
        ask(orchard, START + day * DAY, ["How do pears grow?"] * 40, tokens=(4, 6, 9, 14))
    now = the_day_after(orchard)
    ask(orchard, now, ["How do pears grow?"] * 20, tokens=(4, 6, 9, 14))
    ask(orchard, now - timedelta(hours=1), ["Wie wachsen Birnen hierzulande?"] * 20, tokens=(20, 40), language="de")
    check = checked(orchard, now + timedelta(minutes=1))
    assert alarms(check) >= {"question length", "question languages"}
    length, language = status(check, "question length"), status(check, "question languages")
    assert (length.examples[0], length.cause) == ("Wie wachsen Birnen hierzulande?", "the questions changed")
    assert (language.examples, language.cause) == (
        ("de: 50% of the questions whose language can be told, 0% before",),
        "the questions changed",
    )
    assert check.as_json()["worse"] is False


def ask(bench: Bench, at: datetime, texts: list[str], tokens: Sequence[int] = (5,), language: str = "en") -> None:
    """A day's questions, as the API keeps them."""
    rows = []
    replies = {text: bench.search(text) for text in set(texts)}
    for place, text in enumerate(texts):
        found = replies[text]
        vector = bench.embedder.embed_query(text)
        rows.append(
            Asked(
                *(f"{at:%m%d%H%M}-{place}", at - timedelta(minutes=place), text, vector, "hybrid", found.release, 10, False),
                *(len(found.hits), 0.5, (), (), "search", None, None, language, tokens[place % len(tokens)], 0.1, "key"),
                embedder=bench.embedder.fingerprint,
            )
        )
    bench.store.queries.write(rows)


def test_questions_about_what_is_not_there_name_the_new_words_and_the_alarm_is_over_when_it_is_there(orchard: Bench):
    rng = np.random.default_rng(1)
    for day in range(DAYS):
        ask(orchard, START + day * DAY, [f"How does the {' '.join(rng.permutation(WORDS)[:4])} grow over there?" for _ in range(40)])
    now = the_day_after(orchard)
    ask(orchard, now, [f"How does the zeppelin {word} fly over hangars?" for word in list(rng.permutation(WORDS)) * 3])
    check = checked(orchard, now)
    found = status(check, "new terms")
    assert (found.state, found.cause) == ("alarm", "the questions changed")
    assert any(example.startswith("zeppelin (") for example in found.examples)
    orchard.put("airships", "How the zeppelin does fly over hangars.")
    first, second = (checked(orchard, now + timedelta(minutes=minutes)) for minutes in (10, 20))
    assert "new terms" in alarms(first)
    assert "new terms" in second.closed
