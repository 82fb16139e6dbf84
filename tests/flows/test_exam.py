from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evals import exam_report
from evals.budget import Budget
from flows.evaluate import judge
from flows.exam import exam, told
from index.errors import Misconfigured
from index.exams import Exam, State, identity_of, standing_of
from index.settings import Settings

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
WHO = identity_of("http://localhost/v1", "large")
PART = {"value": 0.5, "low": 0.4, "high": 0.6, "of": 150}
FIGURES = {
    "accuracy": PART,
    "kappa": {"value": 0.0, "low": -0.2, "high": 0.2, "of": 150},
    "by_metric": {"faithfulness": PART},
    "by_kind": {"negation": PART | {"value": None}},
    "repeatability": PART,
    "position": {"bias": 1.0, "consistent": 0.0, "right": 0.5, "of": 45},
    "unmeasured": {"no verdict within 60 s | <b>": 3},
    "asked": 372,
    "measured": 369,
    "coverage": 0.99,
    "calls": 500,
    "tokens": 300_000,
    "estimated": False,
    "seconds": 93.0,
    "tokens_per_question": 806.4,
    "seconds_per_question": 0.25,
}
FAILED = Exam(
    NOON,
    WHO,
    qualified=False,
    reasons=("accuracy is 0.50, below 0.85",),
    changed="it judges worse than in its last exam",
    figures=FIGURES,
)


def test_the_flow_has_a_name_and_a_description():
    assert exam.name == "exam"
    assert "planted pairs" in str(exam.description)


def test_what_came_of_an_exam_is_told_in_a_sentence():
    assert told(standing_of([FAILED], WHO, NOON)) == (
        "large is unqualified: accuracy is 0.50, below 0.85. The judge changed: it judges worse than in its last exam."
    )
    assert told(standing_of([replace(FAILED, qualified=True, reasons=(), changed=None)], WHO, NOON)) == "large is qualified."


def test_the_report_says_what_the_scores_are_worth_and_shows_the_numbers():
    markdown = exam_report.markdown(standing_of([FAILED], WHO, NOON))
    assert "The judge `large` at `http://localhost/v1` is **unqualified**. Its scores are shown, and gate nothing." in markdown
    assert "**The judge changed**: it judges worse than in its last exam" in markdown
    assert "| Cohen's kappa | 0.00 | -0.20 – 0.20 | 150 |" in markdown
    assert "| accuracy, negation | – | unmeasured | 150 |" in markdown
    assert "the position bias is +1.00" in markdown
    assert "300,000 tokens (counted by the endpoint) and 93 s: 806 tokens and 0.25 s a question." in markdown
    assert "- no verdict within 60 s \\| &lt;b>: 3 times" in markdown


def test_a_judge_that_was_never_examined_has_a_report_too():
    found = standing_of([], WHO, NOON)
    assert found.state is State.UNEXAMINED
    assert "it has not been examined yet" in exam_report.markdown(found)


def test_the_budget_of_the_judge_is_that_of_its_file(tmp_path):
    file = tmp_path / "budget.toml"
    file.write_text("tokens = 1000\nseconds = 5.5\nquestions = 20\n")
    settings = Settings(home=Path("unused"), judge_url="http://localhost/v1", judge_model="large", judge_budget=file)
    configured = judge(settings)
    assert configured
    assert configured.budget == Budget(tokens=1000, seconds=5.5, questions=20)
    file.write_text("tokens = -1\n")
    with pytest.raises(Misconfigured, match="GROUNDWORK_JUDGE_BUDGET: tokens = -1"):
        judge(settings)
