from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evals import dataset
from evals.answers import AnsweredQuestion
from evals.evaluate import Request
from evals.evaluate import evaluate as evaluate_release
from evals.judge import Judge
from flows.evaluate import asker, evaluate, failed, generators, judge, measured_before
from index.settings import Settings
from tests.fakes import HashingEmbedder


def settings(**values: Any) -> Settings:
    return Settings(home=Path("unused"), **values)


def test_the_flow_has_a_name_a_description_and_typed_parameters():
    assert evaluate.name == "evaluate"
    assert "golden questions" in str(evaluate.description)
    assert {name: schema.get("default") for name, schema in evaluate.parameters.properties.items()} == {
        "release": None,
        "dataset": "default",
        "sample": None,
        "answers": True,
        "part": None,
        "minutes": None,
        "again": True,
    }


def test_questions_are_asked_on_the_release_that_is_evaluated(library):
    library.release({"manual": "The manual was written by Ada Lovelace in London."})
    library.release({"later": "The manual was written by Ada Lovelace, it says again."})
    reader = library.store.reader()
    found = asker(reader, library.embedder, generators(settings(), library.embedder), 1)("Who wrote the manual by Ada Lovelace?")
    assert isinstance(found, AnsweredQuestion)
    assert found.contexts == ("The manual was written by Ada Lovelace in London.",)


def test_without_a_language_model_the_extractive_generator_answers_alone():
    embedder = HashingEmbedder()
    assert [generator.name for generator in generators(settings(), embedder)] == ["extractive"]
    configured = settings(llm_url="http://localhost/v1", llm_model="small")
    assert [generator.name for generator in generators(configured, embedder)] == ["small", "extractive"]


def test_there_is_a_judge_only_when_url_and_model_are_set():
    assert judge(settings()) is None
    assert judge(settings(judge_url="http://localhost/v1")) is None
    configured = judge(settings(judge_url="http://localhost/v1", judge_model="large", judge_key="k"))
    assert configured == Judge("http://localhost/v1", "large", "k")


def test_what_was_measured_on_the_same_questions_is_known(golden_library):
    evaluations, reader = golden_library.store.evaluations, golden_library.store.reader()
    asked = dataset.sample(dataset.load(), 5)
    assert measured_before(evaluations, 1, "default", asked) is None
    evaluations.write(evaluate_release(reader, golden_library.embedder, Request("same", sample=5)))
    found = measured_before(evaluations, 1, "default", asked)
    assert found is not None
    assert found.id == "same"
    assert measured_before(evaluations, 2, "default", asked) is None
    assert measured_before(evaluations, 1, "default", asked[:4]) is None
    assert measured_before(evaluations, 1, "default", [*asked[:4], replace(asked[4], question="Another?")]) is None


def test_a_failed_run_keeps_what_was_asked_and_why_it_failed():
    started = datetime(2026, 1, 1, tzinfo=UTC)
    message = "Flow run encountered an exception: NotFound: there is no release 99"
    evaluation = failed("id", {"release": 99, "dataset": "default"}, started, message, live=3)
    assert (evaluation.state, evaluation.release, evaluation.reason) == ("failed", 99, "NotFound: there is no release 99")
    assert failed("id", {}, None, None, live=3).release == 3
