"""The report of a sweep."""

from flows.sweep import EXAMPLES, report
from tasks.sweep import Changes, Sweep


def test_a_report_counts_and_names_what_changed():
    text = report(Sweep("papers", Changes(("papers:a.md", "papers:b.md"), ("papers:c.md",), (), 7), withheld=False))
    assert text.startswith("## Sweep of papers\n")
    assert "| 2 | 1 | 0 | 7 |" in text
    assert "### Added\n\n- `papers:a.md`\n- `papers:b.md`" in text
    assert "### Changed\n\n- `papers:c.md`" in text
    assert "### Removed" not in text


def test_a_report_says_that_removals_wait_for_somebody_to_confirm_them():
    text = report(Sweep("papers", Changes((), (), tuple(f"papers:{n}" for n in range(30)), 0), withheld=True))
    assert "| 0 | 0 | 30 (withheld: more than a tenth of the source) | 0 |" in text


def test_a_long_list_is_cut():
    text = report(Sweep("papers", Changes(tuple(f"papers:{n}" for n in range(EXAMPLES + 3)), (), (), 0), withheld=False))
    assert text.count("- `papers:") == EXAMPLES
    assert text.endswith("- and 3 more")
