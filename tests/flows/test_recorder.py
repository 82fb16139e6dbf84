"""Recording in Prefect never holds up the work, least of all when Prefect is gone."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from flows.burst_report import MAX_ROWS, report, summary
from flows.recorder import Recorder
from tasks.batch import Outcome

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
FIRST = Outcome(
    2, 20, ("bad/one",), 1, 31, 2, 29, {"parse": 0.25, "embed": 1.0},
    {"bad/one": "invalid: chunks.tokens expect_less"}, {"documents": 19, "chunks": 31},
)  # fmt: skip
SECOND = Outcome(3, 5, (), 0, 5, 0, 4, {"parse": 0.25, "embed": 0.5})
# The end is that of the ingester's process: Prefect's own threads are not waited for.
RECORDING = """
import os, time
from flows.recorder import Recorder
from tasks.batch import Outcome

recorder = Recorder()
recorder.start()
began = time.monotonic()
for n in range(3000):
    recorder.record([Outcome(n, 1, (), 0, 1, 0, 1, {})])
recorded = time.monotonic()
recorder.stop(0.5)
print(recorded - began, time.monotonic() - recorded, flush=True)
os._exit(0)
"""


def test_a_burst_is_summed_up_in_a_line():
    assert summary([FIRST, SECOND]) == "25 documents in 2 batches, 33 texts embedded, 1 duplicate folded, 1 quarantined"
    assert summary([Outcome(3, 1, (), 0, 1, 0, 1, {})]) == "1 document in 1 batch, 1 text embedded"


def test_the_report_has_a_row_for_each_batch_the_time_by_step_and_what_was_set_aside():
    text = report([FIRST, SECOND])
    assert "| 2 | 20 | 31 | 2 | 29 | 1 | 1.25 |\n| 3 | 5 | 5 | 0 | 4 | 0 | 0.75 |" in text
    assert "| parse | 0.50 |\n| embed | 1.50 |" in text
    assert text.endswith("### Quarantined\n\n- `bad/one`: invalid: chunks.tokens expect\\_less")


def test_the_report_says_what_the_data_contract_found_and_what_was_saved():
    text = report([FIRST, SECOND])
    assert "| documents | 19 |\n| chunks | 31 |" in text
    assert "| chunks.tokens expect_less | 1 |" in text
    assert "3 of 36 chunks had a vector already; 1 document says" in text
    assert "Every row passed." in report([replace(SECOND, checked={"chunks": 5})])


def test_a_stopped_batch_comes_first_in_the_report():
    text = report([FIRST, replace(SECOND, stopped="7 of 12 documents broke it")])
    assert "> **Release 3: nothing of the batch was indexed.** 7 of 12 documents broke it" in text.split("| release |")[0]


def test_no_id_or_reason_ends_the_markup_it_stands_in():
    hostile = replace(FIRST, quarantined=("a`b",), reasons={"a`b": "<img src=x> [x](y)"})
    assert report([hostile]).endswith("- `a'b`: \\<img src=x\\> \\[x\\](y)")


def test_the_report_of_a_long_burst_shows_its_last_batches_and_sums_up_all():
    text = report([SECOND] * (MAX_ROWS + 5))
    assert text.count("| 3 | 5 |") == MAX_ROWS
    assert text.startswith(f"## {5 * (MAX_ROWS + 5)} documents")


def test_what_nobody_takes_is_left_out_and_not_waited_for(caplog):
    recorder = Recorder()  # never started
    for _ in range(1005):
        recorder.record([FIRST])
    assert caplog.text.count("left out") == 5


@pytest.mark.parametrize("listening", [False, True], ids=["refuses", "never answers"])
def test_while_prefect_is_away_neither_recording_nor_the_end_of_the_process_is_held_up(listening, tmp_path):
    with socket.socket() as prefect:
        prefect.bind(("127.0.0.1", 0))
        if listening:
            prefect.listen()
        url = f"http://127.0.0.1:{prefect.getsockname()[1]}/api"
        environment = {"PREFECT_API_URL": url, "PREFECT_HOME": str(tmp_path), "DO_NOT_TRACK": "1"}
        command = [sys.executable, "-c", RECORDING]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=True)
    recording, stopping = map(float, done.stdout.split())
    assert recording < 2
    assert stopping < 2
