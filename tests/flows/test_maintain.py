"""The report of a pass of maintenance."""

from flows.maintain import report
from tasks.maintain import Maintenance


def test_a_report_says_what_was_done():
    text = report(Maintenance(("chunks_a_b", "documents"), (3, 4, 5), 2_500_000, 7))
    assert "| tables folded | `chunks_a_b`, `documents` |" in text
    assert "| releases retired | 3 |" in text
    assert "| disk freed | 2.5 MB |" in text
    assert "| originals dropped | 7 |" in text
