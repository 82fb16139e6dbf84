"""The report of a pass of maintenance."""

from flows.maintain import audit, report
from tasks.maintain import Maintenance
from tests.bench import Bench


def test_a_report_says_what_was_done():
    text = report(Maintenance(("chunks_a_b", "documents"), (3, 4, 5), 2_500_000, 7))
    assert "| tables folded | `chunks_a_b`, `documents` |" in text
    assert "| releases retired | 3 |" in text
    assert "| disk freed | 2.5 MB |" in text
    assert "| originals dropped | 7 |" in text


def test_the_audit_lists_the_newest_deeds_first_and_nothing_in_them_is_markup(bench: Bench):
    bench.put("a", "Apples.")
    bench.store.log.append("rolled_back", 1, "k1", "odd | <b>answers</b>")
    bench.store.log.append("resumed", 2, "k2")
    lines = audit(bench.store.log.events, bench.store.log.timeline()).splitlines()
    assert [line.split("|")[2].strip() for line in lines[4:]] == ["k2", "k1"]
    assert "| rolled back | 2 -> 1 | odd \\| &lt;b>answers&lt;/b> |" in lines[5]
