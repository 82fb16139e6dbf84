import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread, Timer
from time import monotonic, sleep
from typing import Any

import pytest

from evals.answers import AnsweredQuestion, Attempt
from evals.budget import Budget
from evals.judge import (
    ANSWER_RELEVANCY,
    FACTUAL_CORRECTNESS,
    FAITHFULNESS,
    LLM_CONTEXT_PRECISION,
    LLM_CONTEXT_RECALL,
    METRICS,
    Judge,
    judge_answers,
)
from index.golden import GoldenQuestion, Passage
from index.verdicts import VerdictCache
from tests.fakes import HashingEmbedder
from tests.scripted_judges import ScriptedJudge


class FakeJudge:
    """An endpoint that does what RAGAS' prompts ask, by rule: a statement is a sentence, and holds if the context has its words.

    `behaviour` is "judges", "hangs", "talks" (no JSON) or "breaks" (status 500).
    """

    def __init__(self, behaviour: str = "judges", question: str = "Who wrote the manual?") -> None:
        self.behaviour = behaviour
        self.question = question
        self.closing = Event()
        self.keys: list[str | None] = []

    def reply(self, prompt: str) -> dict[str, Any]:
        given = json.loads(re.findall(r"following input\ninput: (.*)\nOutput:", prompt, re.DOTALL)[0])
        if "atomicity" in given:
            return {"claims": sentences(given["response"])}
        if "response" in given:
            return {"question": self.question, "noncommittal": int("hard to say" in given["response"])}
        if "answer" in given and "context" in given:
            holds = int(given["answer"].strip(". ") in given["context"])
            whole = {"classifications": [{"statement": given["answer"], "reason": "-", "attributed": holds}]}
            return whole if "classifications" in prompt else {"reason": "-", "verdict": holds}
        if "context" in given:
            return {"statements": [{"statement": s, "reason": "-", "verdict": int(s in given["context"])} for s in given["statements"]]}
        return {"statements": sentences(given["answer"])}

    def completion(self, request: dict[str, Any]) -> dict[str, Any]:
        content = "I would rather talk." if self.behaviour == "talks" else json.dumps(self.reply(request["messages"][-1]["content"]))
        message = {"role": "assistant", "content": content}
        return {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": request["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        }

    @contextmanager
    def served(self, **limits: Any) -> Iterator[Judge]:
        """A `Judge` that reaches this endpoint."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fake.keys.append(self.headers["Authorization"])
                if fake.behaviour == "hangs":
                    fake.closing.wait()
                    return
                body = json.dumps(fake.completion(request)).encode()
                self.send_response(500 if fake.behaviour == "breaks" or self.path != "/v1/chat/completions" else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Keeps the test's output readable."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            try:
                yield Judge(f"http://127.0.0.1:{server.server_port}/v1", "judge-1", "secret", Budget(retries=0, **limits))
            finally:
                self.closing.set()
                server.shutdown()


def sentences(text: str) -> list[str]:
    return [sentence.strip(". ") for sentence in text.split(". ")]


def attempt(
    identifier: str,
    answer: str,
    contexts: Sequence[str] = ("Ada wrote the manual",),
    *,
    grounded: bool = True,
    reference: str | None = None,
) -> Attempt:
    question = GoldenQuestion(identifier, "Who wrote the manual?", (Passage("d", "Ada wrote the manual"),), reference)
    return Attempt(question, AnsweredQuestion(answer, grounded, tuple(contexts)))


def test_faithfulness_is_the_share_of_statements_that_the_contexts_hold():
    attempts = [attempt("q1", "Ada wrote the manual. She lived in Rome."), attempt("q2", "Ada wrote the manual.")]
    with FakeJudge().served() as judge:
        verdicts = judge_answers(judge, HashingEmbedder(), attempts)
    assert verdicts["q1"][FAITHFULNESS].value == 0.5
    assert verdicts["q2"][FAITHFULNESS].value == 1.0


def test_relevancy_compares_the_question_with_the_one_that_the_judge_reads_from_the_answer():
    embedder = HashingEmbedder()
    with FakeJudge(question="Who wrote the manual?").served() as judge:
        same = judge_answers(judge, embedder, [attempt("q1", "Ada wrote the manual.")])
    with FakeJudge(question="Where is Rome").served() as judge:
        other = judge_answers(judge, embedder, [attempt("q1", "Ada wrote the manual.")])
    assert same["q1"][ANSWER_RELEVANCY].value == pytest.approx(1.0)
    assert (other["q1"][ANSWER_RELEVANCY].value or 0.0) < 0.5


def test_a_noncommittal_answer_has_no_relevancy():
    with FakeJudge().served() as judge:
        verdicts = judge_answers(judge, HashingEmbedder(), [attempt("q1", "That is hard to say.")])
    assert verdicts["q1"][ANSWER_RELEVANCY].value == 0.0


def test_the_endpoint_gets_the_key_but_it_is_not_printed():
    fake = FakeJudge()
    with fake.served() as judge:
        judge_answers(judge, HashingEmbedder(), [attempt("q1", "Ada wrote the manual.")])
        assert set(fake.keys) == {"Bearer secret"}
        assert "secret" not in repr(judge)


def test_an_answer_that_was_declined_is_not_judged():
    with FakeJudge().served() as judge:
        verdicts = judge_answers(judge, HashingEmbedder(), [attempt("q1", "Not in the sources.", grounded=False)])
    assert verdicts["q1"][FAITHFULNESS].value is None
    assert "no answer" in str(verdicts["q1"][FAITHFULNESS].reason)


def test_an_answer_without_contexts_is_unmeasured_not_unfaithful():
    with FakeJudge().served() as judge:
        verdicts = judge_answers(judge, HashingEmbedder(), [attempt("q1", "Ada wrote it.", contexts=())])
    assert verdicts["q1"][FAITHFULNESS].value is None
    assert verdicts["q1"][FAITHFULNESS].reason == "not judged: no passages were found"
    assert verdicts["q1"][ANSWER_RELEVANCY].value is not None


@pytest.mark.parametrize(
    ("behaviour", "reason"), [("hangs", "no verdict within 0.3 s"), ("talks", "ValidationError"), ("breaks", "Error code: 500")]
)
def test_a_judge_that_fails_leaves_the_answer_unmeasured_with_the_reason(behaviour, reason):
    timeout_s = 0.3 if behaviour == "hangs" else 10.0
    with FakeJudge(behaviour).served(call_seconds=timeout_s) as judge:
        verdict = judge_answers(judge, HashingEmbedder(), [attempt("q1", "Ada wrote the manual.")])["q1"][FAITHFULNESS]
    assert verdict.value is None
    assert reason in str(verdict.reason)
    assert "\n" not in str(verdict.reason)


def test_no_judge_listening_is_unmeasured():
    judge = Judge("http://127.0.0.1:9/v1", "judge-1", budget=Budget(retries=0))
    verdict = judge_answers(judge, HashingEmbedder(), [attempt("q1", "Ada wrote the manual.")])["q1"][FAITHFULNESS]
    assert verdict.value is None
    assert "onnect" in str(verdict.reason)


def test_a_hanging_judge_can_not_use_more_than_the_time_budget():
    attempts = [attempt(f"q{i}", "Ada wrote the manual.") for i in range(20)]
    began = monotonic()
    with FakeJudge("hangs").served(call_seconds=5.0, seconds=0.3, parallel=2) as judge:
        verdicts = judge_answers(judge, HashingEmbedder(), attempts)
    assert monotonic() - began < 4
    assert {verdict.value for given in verdicts.values() for verdict in given.values()} == {None}
    assert "0.3 s were used up" in str(verdicts["q19"][FAITHFULNESS].reason)


def test_progress_reaches_the_number_of_verdicts():
    told: list[tuple[int, int]] = []
    with FakeJudge().served() as judge:
        judge_answers(judge, HashingEmbedder(), [attempt("q1", "Ada wrote the manual.")], lambda done, of: told.append((done, of)))
    assert told[-1] == (5, 5)


def test_passages_are_judged_by_the_reference_and_the_answer_by_what_of_it_the_reference_says():
    attempts = [
        attempt("q1", "Ada wrote the manual.", ("Ada wrote the manual", "Rome is old"), reference="Ada wrote the manual."),
        attempt("q2", "Bob wrote the manual.", ("Rome is old", "Ada wrote the manual"), reference="Ada wrote the manual."),
    ]
    with FakeJudge().served() as judge:
        verdicts = judge_answers(judge, HashingEmbedder(), attempts)
    assert verdicts["q1"][LLM_CONTEXT_PRECISION].value == pytest.approx(1.0)
    assert verdicts["q2"][LLM_CONTEXT_PRECISION].value == pytest.approx(0.5)
    assert verdicts["q1"][LLM_CONTEXT_RECALL].value == 1.0
    assert [verdicts[name][FACTUAL_CORRECTNESS].value for name in ("q1", "q2")] == [1.0, 0.0]


def test_what_needs_a_reference_is_unmeasured_without_one():
    with FakeJudge().served() as judge:
        verdicts = judge_answers(judge, HashingEmbedder(), [attempt("q1", "Ada wrote the manual.")])["q1"]
    assert {metric for metric in METRICS if verdicts[metric].reason == "not judged: the question has no reference answer"} == {
        LLM_CONTEXT_RECALL,
        FACTUAL_CORRECTNESS,
    }
    assert verdicts[LLM_CONTEXT_PRECISION].value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ({"statements": []}, "Garbage: statements: there are none"),
        ({"question": " ", "noncommittal": 0}, "Garbage: question is empty"),
        ({"question": "Who?", "noncommittal": 7}, "Garbage: noncommittal is 7, neither 0 nor 1"),
        ({"statements": ["a", "b"], "reason": "-", "verdict": 3}, "Garbage: verdict is 3, neither 0 nor 1"),
    ],
)
def test_a_reply_that_answers_nothing_is_no_zero(reply, reason):
    fake = FakeJudge()
    fake.reply = lambda _: reply  # type: ignore[method-assign]
    with fake.served() as judge:
        verdicts = judge_answers(judge, HashingEmbedder(), [attempt("q1", "Ada wrote the manual.")])["q1"]
    assert reason in {verdict.reason for verdict in verdicts.values()}
    assert {verdict.value for verdict in verdicts.values()} == {None}


def test_a_judge_that_leaves_statements_out_is_not_believed_about_the_others():
    fake, whole = FakeJudge(), FakeJudge()

    def partial(prompt: str) -> dict[str, Any]:
        reply = whole.reply(prompt)
        return {"statements": reply["statements"][:1]} if "verdict" in str(reply) and "statements" in reply else reply

    fake.reply = partial  # type: ignore[method-assign]
    with fake.served() as judge:
        verdicts = judge_answers(judge, HashingEmbedder(), [attempt("q1", "Ada wrote the manual. She lived in Rome.")])["q1"]
    assert (verdicts[FAITHFULNESS].value, verdicts[FAITHFULNESS].reason) == (None, "Garbage: 1 verdicts on 2 statements")


def test_when_the_tokens_are_used_up_the_rest_is_unmeasured_and_says_so():
    attempts = [attempt(f"q{n}", "Ada wrote the manual.") for n in range(6)]
    with FakeJudge().served(tokens=4_000, parallel=1) as judge:
        verdicts = judge_answers(judge, HashingEmbedder(), attempts)
    reasons = [verdict.reason for given in verdicts.values() for verdict in given.values()]
    assert any(verdict.value is not None for given in verdicts.values() for verdict in given.values())
    assert reasons.count("not judged: 4,000 tokens were used up") > 12


def test_a_budget_of_questions_judges_the_same_ones_whatever_their_order():
    attempts = [attempt(f"q{n}", "Ada wrote the manual.") for n in range(6)]
    judged = []
    with FakeJudge().served(questions=2) as judge:
        for order in (attempts, attempts[::-1]):
            verdicts = judge_answers(judge, HashingEmbedder(), order)
            judged.append({name for name, given in verdicts.items() if given[FAITHFULNESS].value is not None})
    assert (len(judged[0]), judged[0]) == (2, judged[1])
    assert verdicts[min(set(verdicts) - judged[0])][FAITHFULNESS].reason == "not judged: the budget is 2 questions"


def test_what_was_judged_is_not_asked_again_even_by_another_process(tmp_path):
    fake, attempts = FakeJudge(), [attempt("q1", "Ada wrote the manual.")]
    with fake.served() as judge:
        first = judge_answers(replace(judge, cache=VerdictCache(tmp_path / "v.sqlite")), HashingEmbedder(), attempts)
        asked = len(fake.keys)
        again = judge_answers(replace(judge, cache=VerdictCache(tmp_path / "v.sqlite")), HashingEmbedder(), attempts)
        assert (len(fake.keys), again) == (asked, first)
        changed = replace(judge, cache=VerdictCache(tmp_path / "v.sqlite"), since="2026-01-01")
        judge_answers(changed, HashingEmbedder(), attempts)
        assert len(fake.keys) == 2 * asked


@pytest.mark.thorough
def test_an_evaluation_whose_judge_died_goes_on_where_it_was(tmp_path):
    attempts = [attempt(f"q{n}", f"Ada wrote the manual. It has {n} pages.") for n in range(4)]
    cache = VerdictCache(tmp_path / "v.sqlite")
    with ScriptedJudge() as dying:
        dying.dies_after = 9
        judge = replace(dying.judge(parallel=1, failures=2), cache=cache)
        before = judge_answers(judge, HashingEmbedder(), attempts)
    done = {(name, metric) for name, given in before.items() for metric, verdict in given.items() if verdict.value is not None}
    assert done
    assert any("the judge had failed 2 times in a row" in str(verdict.reason) for given in before.values() for verdict in given.values())
    with ScriptedJudge(port=dying.port) as back:
        after = judge_answers(replace(judge, budget=Budget(retries=0)), HashingEmbedder(), attempts)
        assert {(name, metric) for name, metric in done if after[name][metric] == before[name][metric]} == done
        assert all(given[FAITHFULNESS].value is not None for given in after.values())
        assert len(back.asked) < 4 * 6


KILLED = """
import sys
from pathlib import Path
from evals.budget import Budget
from evals.judge import Judge, judge_answers
from index.verdicts import VerdictCache
from tests.evals.test_judge import attempt
from tests.fakes import HashingEmbedder
judge = Judge(sys.argv[1], "scripted", "secret", Budget(retries=0), VerdictCache(Path(sys.argv[2])))
judge_answers(judge, HashingEmbedder(), [attempt(f"q{n}", f"Ada wrote the manual. It has {n} pages.") for n in range(40)])
"""


@pytest.mark.slow
def test_an_evaluation_that_was_killed_does_not_ask_again_what_was_judged(tmp_path):
    cache, root = tmp_path / "v.sqlite", Path(__file__).parents[2]
    with ScriptedJudge() as endpoint:
        started = subprocess.Popen([sys.executable, "-c", KILLED, endpoint.judge().url, str(cache)], cwd=root)
        while len(endpoint.asked) < 60:
            sleep(0.01)
        started.kill()
        assert started.wait() == -9
        before = len(endpoint.asked)
        subprocess.run([sys.executable, "-c", KILLED, endpoint.judge().url, str(cache)], cwd=root, check=True)
        # 6 calls an answer; what was on its way when it was killed is asked again: 4 answers at most.
        assert 40 * 6 <= len(endpoint.asked) <= 40 * 6 + 4 * 3
        asked = len(endpoint.asked)
        subprocess.run([sys.executable, "-c", KILLED, endpoint.judge().url, str(cache)], cwd=root, check=True)
        assert len(endpoint.asked) == asked
    assert before < asked


def test_a_judge_that_asks_for_patience_gets_it_and_one_that_asks_for_too_much_is_left():
    attempts = [attempt(f"q{n}", "Ada wrote the manual.") for n in range(3)]
    with ScriptedJudge() as busy:
        busy.status, busy.headers = 429, {"Retry-After": "0.2"}
        began = monotonic()
        Timer(0.3, lambda: setattr(busy, "status", 200)).start()
        verdicts = judge_answers(busy.judge(retries=5), HashingEmbedder(), attempts)
        assert monotonic() - began >= 0.4
        assert all(given[FAITHFULNESS].value is not None for given in verdicts.values())
        busy.status, busy.headers = 429, {"Retry-After": "3600"}
        began = monotonic()
        verdicts = judge_answers(busy.judge(retries=5), HashingEmbedder(), attempts)
        assert monotonic() - began < 2
    assert "Error code: 429" in str(verdicts["q0"][FAITHFULNESS].reason)
    assert verdicts["q0"][FAITHFULNESS].value is None


def test_neither_the_key_nor_what_the_judge_wrote_is_in_a_reason():
    with ScriptedJudge() as judge:
        judge.reply = '{"statements": "Ada said secret things", "better": "Ada"}'
        verdicts = judge_answers(judge.judge(), HashingEmbedder(), [attempt("q1", "Ada wrote the manual.")])["q1"]
        judge.status = 422
        refused = judge_answers(judge.judge(), HashingEmbedder(), [attempt("q1", "Ada wrote the manual.")])["q1"]
    assert verdicts[FAITHFULNESS].reason == "ValidationError: statements: Input should be a valid array"
    assert refused[FAITHFULNESS].reason == "UnprocessableEntityError: Error code: 422"
    assert not any(word in f"{verdicts}{refused}" for word in ("secret", "Ada"))
