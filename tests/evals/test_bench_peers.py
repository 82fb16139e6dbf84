import sys
from pathlib import Path

import pytest

from evals.bench.peers import folders
from evals.bench.peers.environment import Peer, run, run_killed
from evals.bench.peers.program import Report, counted, documents
from evals.bench.peers.race import CHANGE_KILLED, CHANGED, KILLED, KILLED_WRITING, LOAD, MOVED, UNCHANGED, Race, accidents, figures, timed
from evals.bench.platform import PlatformFailed
from index.errors import Misconfigured

# A peer that needs no library and no model: its table is a file with a row for each line of a document. It only appends.
APPENDER = """
from pathlib import Path
from evals.bench.peers.program import documents, run

class Appender:
    def __init__(self, state, model):
        self._rows = state / "rows.txt"

    def update(self, folder):
        with self._rows.open("a") as rows:
            new = set(self.expected(folder)) - set(self.stored())
            rows.write("".join(f"{name} {line}\\n" for name, line in sorted(new)))
        return self.written(len(new))

    def written(self, count):
        return count

    def stored(self):
        lines = self._rows.read_text().splitlines() if self._rows.exists() else []
        return [tuple(line.split(" ", 1)) for line in lines]

    def expected(self, folder):
        return [(name, line) for name, text in documents(folder).items() for line in text.splitlines() if line]

run(Appender)
"""


@pytest.fixture
def appender(tmp_path: Path) -> Peer:
    """A stand-in for a peer, started as the real ones are."""
    script = tmp_path / "python"
    program = tmp_path / "appender.py"
    program.write_text(APPENDER)
    script.write_text(f'#!/bin/sh\nshift 2\nPYTHONPATH=. exec {sys.executable} {program} "$@"\n')
    script.chmod(0o755)
    return Peer("Appender", "appender", str(script), "Appender.written")


@pytest.fixture
def racing(tmp_path: Path, appender: Peer) -> Race:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.txt").write_text(f"first words of {number}\nlast words of {number}")
    return Race(tmp_path, "no model", [appender])


def test_a_report_counts_stale_doubled_and_missing_passages():
    stored = [("a", "one"), ("a", "one"), ("a", "gone"), ("b", "twice"), ("b", "twice")]
    expected = [("a", "one"), ("b", "twice"), ("b", "twice"), ("c", "lost")]
    assert counted(1.5, 7, stored, expected) == Report(seconds=1.5, embedded=7, passages=5, stale=1, doubled=1, missing=1)


def test_a_folder_is_filled_changed_and_moved(tmp_path: Path):
    data = tmp_path / "data"
    data.mkdir()
    for number in range(9):
        (data / f"{number}.md").write_text(f"text {number} of many words")
    folder = tmp_path / "documents"
    assert folders.fill(folder, data, 9) == 9
    before = documents(folder)
    assert folders.change(folder, 0.1, 0) == 1
    changed = [name for name, text in documents(folder).items() if text != before[name]]
    assert changed == ["00000.txt"]
    folders.shorten_rename_delete(folder, 0.1)
    names = set(documents(folder))
    assert set(before) - names == {"00001.txt", "00002.txt"}
    assert names - set(before) == {"renamed-00001.txt"}


def test_more_documents_than_there_are_is_refused(tmp_path: Path):
    (tmp_path / "one.txt").write_text("words")
    with pytest.raises(Misconfigured, match="has 1 documents"):
        folders.fill(tmp_path / "documents", tmp_path, 2)


def test_a_run_reports_what_it_did(racing: Race, appender: Peer):
    report = run(appender, racing.folder, racing.home / "state", "no model", racing.log(appender))
    assert (report.embedded, report.passages, report.stale, report.doubled, report.missing) == (12, 12, 0, 0, 0)


def test_a_run_can_be_killed_the_moment_it_has_added_rows(racing: Race, appender: Peer):
    state = racing.home / "state"
    assert run_killed(appender, racing.folder, state, "no model", racing.log(appender), None)
    assert len((state / "rows.txt").read_text().splitlines()) == 12


def test_a_run_that_has_ended_can_not_be_killed(racing: Race, appender: Peer):
    assert not run_killed(appender, racing.folder, racing.home / "state", "no model", racing.log(appender), after_s=0.5)


def test_a_run_that_fails_says_why(racing: Race, appender: Peer):
    (racing.home / "appender.py").write_text("raise SystemExit('no such model')")
    with pytest.raises(PlatformFailed, match="no such model"):
        run(appender, racing.folder, racing.home / "state", "no model", racing.log(appender))


@pytest.mark.slow
def test_all_steps_are_run_and_counted(racing: Race):
    timed(racing)
    accidents(racing)
    [course] = racing.courses.values()
    assert list(course) == [LOAD, UNCHANGED, CHANGED, MOVED, CHANGE_KILLED, KILLED, KILLED_WRITING]
    assert [len(course[step]) for step in (LOAD, UNCHANGED, CHANGED)] == [3, 3, 3]
    assert course[MOVED][0].stale > 0


def test_the_others_stand_beside_the_first():
    report = Report(2.0, 10, 10, 0, 0, 0)
    timed_steps = {step: [report] for step in (LOAD, CHANGED, UNCHANGED)}
    slower = {step: [Report(6.0, 10, 13, 1, 2, 0)] for step in timed_steps}
    found = {(figure.case, figure.metric): figure for figure in figures({"Groundwork": timed_steps, "Other": slower})}
    assert found["Other", LOAD].ratio == 3.0
    assert found["Other", LOAD].baseline == "Groundwork"
    assert found["Other", f"{LOAD}: stale"].value == 1
    assert found["Other", f"{LOAD}: doubled"].value == 2


def test_peers_run_only_by_name():
    from evals.bench.__main__ import BY_NAME, PARTS, parser

    assert "peers" in BY_NAME
    assert "peers" not in PARTS
    assert parser().parse_args(["--part", "peers"]).part == "peers"
