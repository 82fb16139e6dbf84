"""Scores over releases, and questions that won and lost: drawn, stored, and told in Prefect."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from evals import changes, scores_picture
from flows import quality_pictures
from flows.quality_pictures import draw_quality
from index.evaluations import Evaluation, Score
from tests.bench import Bench


def evaluation(number: int, values: dict[str, float], at: datetime | None = None) -> Evaluation:
    at = at or datetime.now(UTC)
    rows = tuple({"id": name, "question": f"Where is {name}?", "metrics": {"nDCG@10": value}} for name, value in values.items())
    mean = sum(values.values()) / len(values)
    scores = (Score("nDCG@10", mean, mean - 0.1, mean + 0.1, len(values), len(values)),)
    return Evaluation(f"e{number}", number, "default", "completed", None, at, at, scores, rows)


@pytest.fixture
def artifacts(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What Prefect, which is not there, was given."""
    told: dict[str, str] = {}
    monkeypatch.setattr(quality_pictures, "create_markdown_artifact", lambda markdown, key, description: told.update({key: markdown}))
    return told


@pytest.mark.thorough
def test_scores_events_and_changes_are_drawn_after_an_evaluation(bench: Bench, artifacts: dict[str, str]):
    store = bench.store
    assert draw_quality(store) == []
    bench.put("a", "Tin is mined in the north.")
    store.evaluations.write(evaluation(2, {"tin": 1.0, "copper": 0.5, "*<gold>": 0.2}))
    assert draw_quality(store) == ["scores"]

    bench.put("b", "Copper is mined in the south.")
    store.evaluations.write(evaluation(3, {"tin": 0.0, "copper": 0.5, "*<gold>": 0.9}))
    store.log.append("rolled_back", 2, "admin", "it is worse")
    assert draw_quality(store) == ["scores", "questions"]

    scores = json.loads(store.pictures.read("scores", "json"))
    assert [(each["release"], round(each["value"], 3)) for each in scores["points"]] == [(2, 0.567), (3, 0.467)]
    [event] = scores["events"]
    assert (event["what"], event["was"], event["live"], event["reason"]) == ("rolled back", 3, 2, "it is worse")
    assert "rolled back" in store.pictures.read("scores").decode()
    moved = json.loads(store.pictures.read("questions", "json"))
    assert [each["id"] for each in moved["lost"]] == ["tin"]
    assert [each["id"] for each in moved["won"]] == ["*<gold>"]
    assert (moved["before"]["release"], moved["after"]["release"], moved["same"]) == (2, 3, 1)
    for name in ("scores", "questions"):
        assert store.pictures.read(name, "png").startswith(b"\x89PNG")
    assert "| nDCG@10 | 0.467 | 0.367 – 0.567 | 3 |" in artifacts["scores"]
    assert "Where is \\*&lt;gold>?" in artifacts["questions"]

    assert store.pictures.forget([b"something else"]) == 0
    assert store.pictures.forget([b"Where is tin"]) == 1
    assert store.pictures.names() == ["scores"]


def test_an_evaluation_of_other_questions_is_not_compared():
    before, after = evaluation(1, {"tin": 1.0, "zinc": 1.0}), evaluation(2, {"tin": 0.5, "gold": 0.5})
    assert changes.between(before, after) is None
    assert changes.newest([], {}.get) is None


def test_of_a_release_the_newest_value_of_each_metric_is_shown_and_samples_are_not():
    day, at = timedelta(days=1), datetime(2026, 3, 1, tzinfo=UTC)
    found = [
        evaluation(2, {"tin": 0.1}, at + 3 * day),
        evaluation(1, {"tin": 0.9, "zinc": 0.9}, at + day),
        evaluation(1, {"tin": 0.5, "zinc": 0.5}, at),
    ]
    shown = scores_picture.data(found, [])
    assert [(point["release"], point["value"]) for point in shown["points"]] == [(1, 0.9)]
    assert scores_picture.draw(scores_picture.data([], [])) is None
