"""`kill -9` in the middle of judging: the evaluation goes on under its id, and the judge is asked what is missing."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from flows.abandoned import resume_abandoned
from index.documents import Draft
from index.golden import GoldenQuestion, Passage
from tests.api.prefect_server import FakePrefect
from tests.bench import Bench
from tests.proofs.evaluating import DATASET
from tests.proofs.platform import ROOT, RunningPlatform
from tests.scripted_judges import INPUT, ScriptedJudge

TOWNS = ["Falun", "Narvik", "Bergen", "Turku", "Visby", "Malmo", "Odense", "Aarhus"]
KILLED = "00000000-0000-0000-0000-000000000001"
HALF_WAY = 40
# A verdict takes a call for each passage at most; with one call at a time one of them is under way when the process dies.
OF_ONE_VERDICT = 8
START_S, END_S = 300.0, 400.0
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


class SlowJudge(ScriptedJudge):
    """Passes its exam, and takes its time for what is asked of the towns."""

    def answer(self, prompt: str) -> dict[str, Any]:
        if about_towns(prompt):
            sleep(0.1)
        return super().answer(prompt)

    @property
    def judged(self) -> list[str]:
        """What was asked of the towns, in order."""
        prompts = (next(said["content"] for said in json.loads(body)["messages"] if INPUT.search(said["content"])) for body in self.asked)
        return [prompt for prompt in prompts if about_towns(prompt)]


def about_towns(prompt: str) -> bool:
    return any(town in prompt for town in TOWNS)


@pytest.fixture
def slow_judge() -> Iterator[SlowJudge]:
    with SlowJudge() as running:
        yield running


def text_of(what: str, town: str) -> str:
    return f"The {what} of {town} was opened by the mayor of {town} in the spring of a rainy year."


def question(what: str, town: str) -> GoldenQuestion:
    passage = Passage(f"{what}/{town}", text_of(what, town))
    return GoldenQuestion(town, f"Who opened the {what} of {town}?", (passage,), "It was opened by the mayor.")


def only_what_is_missing(before: list[str], after: list[str]) -> None:
    """Of what was asked before, nothing is asked again but for the verdict that was under way."""
    repeated = set(after) & set(before)
    print(f"{len(before)} calls before the kill, {len(after)} after it, {len(repeated)} of them a second time")
    assert len(before) >= HALF_WAY
    assert len(repeated) <= OF_ONE_VERDICT < len(after)


def evaluating(bench: Bench, judge: SlowJudge) -> subprocess.Popen[bytes]:
    code = [sys.executable, "-m", "tests.proofs.evaluating", str(bench.store.folder), KILLED, str(judge.port)]
    return subprocess.Popen(code, cwd=ROOT)


def test_a_process_is_killed_while_it_judges_and_another_asks_only_what_is_missing(bench: Bench, slow_judge: SlowJudge):
    bench.ingest(*(Draft(f"bridge/{town}", content=text_of("bridge", town).encode()) for town in TOWNS))
    bench.store.golden.put(DATASET, [question("bridge", town) for town in TOWNS])
    release = bench.live.number
    with evaluating(bench, slow_judge) as process, FakePrefect() as prefect:
        prefect.runs[KILLED] = {"id": KILLED, "state": {"type": "RUNNING"}}
        RunningPlatform.until(lambda: len(slow_judge.judged) >= HALF_WAY, START_S)
        process.kill()
        process.wait()
        before = slow_judge.judged
        assert resume_abandoned(bench.store, prefect.api_url) == [KILLED]
        assert prefect.runs[KILLED]["state"]["type"] == "SCHEDULED"
    bench.put("bridge/Oslo", text_of("bridge", "Oslo"))
    assert bench.store.evaluations.get(KILLED) is None
    with evaluating(bench, slow_judge) as process:
        assert process.wait(END_S) == 0
    found = bench.store.evaluations.get(KILLED)
    assert found is not None
    assert (found.state, found.release) == ("completed", release)
    assert {score.metric: score.measured for score in found.scores}["llm_context_recall"] == len(TOWNS)
    only_what_is_missing(before, slow_judge.judged[len(before) :])


def kill_the_run(platform: RunningPlatform) -> None:
    """The process of the flow run alone, as the kernel does where memory is short."""
    leader = platform.leader("flows")
    for pid in platform.processes("flows"):
        if pid != leader:
            os.kill(pid, signal.SIGKILL)


def kill_everything(platform: RunningPlatform) -> None:
    for pid in platform.processes():
        os.kill(pid, signal.SIGKILL)
    platform.restart()


def put_golden_set(platform: RunningPlatform, what: str) -> None:
    """A document for each town, and a question about it, in a set of that name."""
    asked = [question(what, town) for town in TOWNS]
    for each in asked:
        platform.put(each.passages[0].doc_id, each.passages[0].quote)
    lines = [
        {
            "id": each.id,
            "question": each.question,
            "passages": [{"doc_id": passage.doc_id, "quote": passage.quote} for passage in each.passages],
            "reference": each.reference,
        }
        for each in asked
    ]
    key = (platform.home / "admin.key").read_text().strip()
    url = f"http://127.0.0.1:{platform.port}/v1/golden/{what}"
    body = "".join(json.dumps(line) + "\n" for line in lines)
    httpx.put(url, content=body, headers={"Authorization": f"Bearer {key}"}, timeout=60).raise_for_status()
    platform.until(lambda: platform.call("GET", "/v1/documents", state="accepted").json == {"items": [], "next": None}, START_S)


def goes_on(platform: RunningPlatform, judge: SlowJudge, what: str, kill: Callable[[RunningPlatform], None]) -> None:
    """Starts an evaluation, kills it, and looks at how it ends."""
    put_golden_set(platform, what)
    known, began = len(judge.judged), monotonic()
    while (started := platform.call("POST", "/v1/evaluations", {"dataset": what})).status != 202:
        assert monotonic() - began < START_S, started
        sleep(1)
    platform.until(lambda: len(judge.judged) - known >= HALF_WAY, START_S)
    kill(platform)
    before = judge.judged
    path = f"/v1/evaluations/{started.json['id']}"
    platform.until(lambda: (platform.call("GET", path).json or {}).get("state") in ("completed", "failed"), END_S)
    found = platform.call("GET", path).json
    assert (found["state"], found["reason"]) == ("completed", None)
    only_what_is_missing(before[known:], judge.judged[len(before) :])


def test_killed_on_the_platform_an_evaluation_goes_on_by_itself(tmp_path: Path, slow_judge: SlowJudge):
    budget = tmp_path / "budget.toml"
    budget.write_text("parallel = 1\n")
    judged_by = {"URL": f"http://127.0.0.1:{slow_judge.port}/v1", "MODEL": "scripted", "BUDGET": str(budget)}
    with RunningPlatform(tmp_path / "home", **{f"GROUNDWORK_JUDGE_{name}": value for name, value in judged_by.items()}) as platform:
        goes_on(platform, slow_judge, "bridge", kill_the_run)
        goes_on(platform, slow_judge, "library", kill_everything)
        assert platform.stop() < 10
