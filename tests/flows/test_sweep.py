"""The report of a sweep, and the state it ends in."""

from flows.sweep import EXAMPLES, report, verdict
from tasks.compare import Changes
from tasks.sources.port import Gap, Skipped
from tasks.sweep import Sweep


def swept(changes: Changes, withheld: bool = False, **more) -> Sweep:
    return Sweep("papers", changes, withheld, known=100, **more)


def test_a_report_counts_and_names_what_changed():
    moved = (("papers:d.md", "papers:b.md"),)
    text = report(swept(Changes(("papers:a.md", "papers:b.md"), ("papers:c.md",), ("papers:d.md",), 7, moved)))
    assert text.startswith("## Sweep of papers\n")
    assert "| added | changed | removed | moved | unchanged | left out |" in text
    assert "| 2 | 1 | 1 | 1 | 7 | 0 |" in text
    assert "### Added\n\n- `papers:a.md`\n- `papers:b.md`" in text
    assert "### Changed\n\n- `papers:c.md`" in text
    assert "### Moved\n\n- `papers:d.md` to `papers:b.md`" in text
    assert "### Left out" not in text


def test_a_long_list_is_cut():
    text = report(swept(Changes(tuple(f"papers:{n}" for n in range(EXAMPLES + 3)), (), (), 0)))
    assert text.count("- `papers:") == EXAMPLES
    assert text.endswith("- and 3 more")


def test_a_sweep_that_is_done_ends_as_completed():
    assert verdict(swept(Changes(("papers:a.md",), (), (), 0), skipped=(Skipped("papers:b.md", "too_large: 1"),))) is None


def test_removals_that_need_confirmation_end_as_failed_and_say_how_to_confirm():
    result = swept(Changes((), (), tuple(f"papers:{n}" for n in range(30)), 70), withheld=True)
    state = verdict(result)
    assert state is not None
    assert (state.is_failed(), state.name) == (True, "NeedsConfirmation")
    assert "30 of 100 documents are gone from the source, more than a tenth of it: nothing was removed." in str(state.message)
    assert "prefect deployment run 'sweep/sweep-papers' --param confirm_removals=true" in str(state.message)
    assert "confirm_removals = true" in report(result)


def test_a_listing_with_gaps_ends_as_failed_and_names_them():
    result = swept(Changes((), (), (), 70), gaps=(Gap("locked", "the folder can't be read: Permission denied"),))
    state = verdict(result)
    assert state is not None
    assert (state.is_failed(), state.name) == (True, "Partial")
    assert "locked: the folder can't be read" in str(state.message)
    assert "### Not listed\n\n- `locked`: the folder can't be read: Permission denied" in report(result)
