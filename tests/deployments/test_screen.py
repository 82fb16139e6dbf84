import contextlib
import io
import os
import subprocess
import sys

import pytest
from rich.console import Console

from deployments.parts import Part
from deployments.probes import Survives
from deployments.screen import Addresses, Screen

API = Part("api", "HTTP API", "http://127.0.0.1:8000", ("python",), Survives(0))


@pytest.fixture
def screen():
    return Screen(Console(file=io.StringIO(), highlight=False, width=60))


@pytest.fixture
def page(screen):
    """What has been written so far."""
    return lambda: screen.flush() and screen._console.file.getvalue()


def test_each_part_has_one_line_however_narrow_the_terminal(screen, page):
    screen.up(API, 3.14, again=False)
    screen.died(API, "killed by SIGKILL", 0.5)
    screen.up(API, 2.0, again=True)
    first, second, third = page().splitlines()
    assert first.split() == ["✓", "api", "HTTP", "API", "http://127.0.0.1:8000", "3.1", "s"]
    assert second.split(maxsplit=2) == ["!", "api", "killed by SIGKILL, starts again in 0.5 s"]
    assert third.endswith("2.0 s, again")


def test_without_a_terminal_progress_is_a_line_every_ten_percent(screen, page):
    for done in range(0, 201, 5):
        screen.indexing(done, 200)
    lines = page().splitlines()
    assert len(lines) == 11
    assert (lines[0].strip(), lines[-1].strip()) == ("indexing the sample: 0 of 200 (0 %)", "indexing the sample: 200 of 200 (100 %)")


def test_ready_says_where_everything_is_and_what_is_missing(screen, page):
    screen.ready(Addresses("http://127.0.0.1:8000", "http://127.0.0.1:4200", "data/admin.key", "data/logs"), [API])
    shown = page()
    assert "Groundwork is ready" in shown
    for address in ("http://127.0.0.1:8000/schema", "http://127.0.0.1:4200", "data/admin.key", "data/logs", "api is not up yet"):
        assert address in shown


def test_text_of_documents_is_shown_as_it_is(screen, page):
    screen.answer({"answer": "A list is written [a, b] [1].", "citations": [{"n": 1, "doc_id": "sample:[x]"}]})
    assert "A list is written [a, b] [1]." in page()
    assert "[1] sample:[x]" in page()


def test_a_document_that_is_cited_twice_is_listed_once(screen, page):
    cited = [{"n": 1, "doc_id": "sample:prefect"}, {"n": 2, "doc_id": "sample:lancedb"}, {"n": 3, "doc_id": "sample:prefect"}]
    screen.answer({"answer": "Prefect [1] and LanceDB [2], says Prefect [3].", "citations": cited})
    assert [line.strip() for line in page().splitlines()[-2:]] == ["[1][3] sample:prefect", "[2] sample:lancedb"]


def test_the_end_of_the_log_is_shown_when_a_part_keeps_dying(screen, page):
    screen.gave_up(API, "ended with exit code 1", ["Traceback", "ValueError: [bad] value"])
    assert "api can't be kept running (ended with exit code 1)" in page()
    assert "ValueError: [bad] value" in page()


SPEAK = "import sys; from deployments.screen import Screen; s = Screen(); s.stopping(); s.stopped(0.1, []); "


@pytest.mark.thorough
def test_a_reader_that_went_away_does_not_end_the_run():
    reader, writer = os.pipe()
    os.close(reader)
    program = SPEAK + "s.flush(); print('went on', file=sys.stderr)"
    ended = subprocess.run([sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, "went on\n")


@pytest.mark.thorough
def test_a_reader_that_stopped_reading_does_not_hold_up_the_run():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"full " * 1000)
    os.set_blocking(writer, True)
    program = SPEAK + "import os; print('went on', s.flush(0.2), file=sys.stderr, flush=True); os._exit(0)"
    ended = subprocess.run([sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=20, check=False)
    os.close(writer)
    os.close(reader)
    assert (ended.returncode, ended.stderr) == (0, "went on False\n")
