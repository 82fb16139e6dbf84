"""The report of a rebuild."""

from dataclasses import replace
from datetime import UTC, datetime

from evals.examine import Report
from evals.gate import Judgement, Verdict
from flows.rebuild import report
from index.recipe import Recipe
from index.wishes import Wish
from tasks.health import Finding

WISH = Wish(7, Recipe(), Recipe(), override=False, by="admin", reason=None, at=datetime(2026, 1, 1, tzinfo=UTC))


def test_it_says_what_the_gate_found():
    judged = Judgement(Verdict.HOLD, 120, 1, 0.7, 0.6, -0.1, -0.12, -0.08, 0.035, 0.02, 40)
    few = Judgement(Verdict.INCONCLUSIVE, 3, 1, needed=30)
    gate = Report(Verdict.HOLD, [Finding("vectors", ok=False, detail="9 are wrong")], {"golden questions": judged, "known items": few})
    text = report(replace(WISH, state="held", detail={"why": "held as release 4", "report": gate.as_json()}))
    assert text.startswith("## Rebuild 7: held\n\nheld as release 4")
    assert "| vectors | **no** | 9 are wrong |" in text
    assert "| golden questions | hold | 0.700 | 0.600 | -0.120 to -0.080 | 0.035 | 120 |" in text
    assert "known items" not in text


def test_without_a_gate_it_says_what_became_of_it():
    assert report(replace(WISH, state="cancelled", detail={"why": "changed my mind"})) == "## Rebuild 7: cancelled\n\nchanged my mind"
