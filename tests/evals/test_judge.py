import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from time import monotonic
from typing import Any

import pytest

from evals.answers import AnsweredQuestion, Attempt
from evals.judge import ANSWER_RELEVANCY, FAITHFULNESS, Judge, judge_answers
from index.golden import GoldenQuestion, Passage
from tests.fakes import HashingEmbedder


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
        if "response" in given:
            return {"question": self.question, "noncommittal": int("hard to say" in given["response"])}
        if "context" in given:
            return {"statements": [{"statement": s, "reason": "-", "verdict": int(s in given["context"])} for s in given["statements"]]}
        return {"statements": [sentence.strip(". ") for sentence in given["answer"].split(". ")]}

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
                yield Judge(f"http://127.0.0.1:{server.server_port}/v1", "judge-1", "secret", retries=0, **limits)
            finally:
                self.closing.set()
                server.shutdown()


def attempt(identifier: str, answer: str, contexts: Sequence[str] = ("Ada wrote the manual",), *, grounded: bool = True) -> Attempt:
    question = GoldenQuestion(identifier, "Who wrote the manual?", (Passage("d", "Ada wrote the manual"),), None)
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
    assert "retrieved_contexts is missing" in str(verdicts["q1"][FAITHFULNESS].reason)
    assert verdicts["q1"][ANSWER_RELEVANCY].value is not None


@pytest.mark.parametrize(
    ("behaviour", "reason"), [("hangs", "no verdict within 0.3 s"), ("talks", "ValidationError"), ("breaks", "Error code: 500")]
)
def test_a_judge_that_fails_leaves_the_answer_unmeasured_with_the_reason(behaviour, reason):
    timeout_s = 0.3 if behaviour == "hangs" else 10.0
    with FakeJudge(behaviour).served(metric_timeout_s=timeout_s) as judge:
        verdict = judge_answers(judge, HashingEmbedder(), [attempt("q1", "Ada wrote the manual.")])["q1"][FAITHFULNESS]
    assert verdict.value is None
    assert reason in str(verdict.reason)
    assert "\n" not in str(verdict.reason)


def test_no_judge_listening_is_unmeasured():
    judge = Judge("http://127.0.0.1:9/v1", "judge-1", retries=0)
    verdict = judge_answers(judge, HashingEmbedder(), [attempt("q1", "Ada wrote the manual.")])["q1"][FAITHFULNESS]
    assert verdict.value is None
    assert "onnect" in str(verdict.reason)


def test_a_hanging_judge_can_not_use_more_than_the_time_budget():
    attempts = [attempt(f"q{i}", "Ada wrote the manual.") for i in range(20)]
    began = monotonic()
    with FakeJudge("hangs").served(metric_timeout_s=5.0, budget_s=0.3, parallel=2) as judge:
        verdicts = judge_answers(judge, HashingEmbedder(), attempts)
    assert monotonic() - began < 4
    assert {verdict.value for given in verdicts.values() for verdict in given.values()} == {None}
    assert "0.3 s were used up" in str(verdicts["q19"][FAITHFULNESS].reason)


def test_progress_reaches_the_number_of_verdicts():
    told: list[tuple[int, int]] = []
    with FakeJudge().served() as judge:
        judge_answers(judge, HashingEmbedder(), [attempt("q1", "Ada wrote the manual.")], lambda done, of: told.append((done, of)))
    assert told[-1] == (2, 2)
