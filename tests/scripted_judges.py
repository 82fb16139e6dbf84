"""Judges behind a real HTTP endpoint on loopback that do what RAGAS' prompts and the exam's ask, by rule: well, badly or not at all."""

import json
import random
import re
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, Self

from evals import planted
from evals.budget import Budget
from evals.judge import Judge
from evals.planted import Pair

INPUT = re.compile(r"following input\ninput: (.*)\nOutput:", re.DOTALL)
UNRELATED = "Something else entirely?"
# What is asked, and what a good judge would decide, to what this one decides.
Decide = Callable[[str, bool], bool]


def good(_asked: str, truth: bool) -> bool:
    """Decides rightly."""
    return truth


def lenient(_asked: str, _truth: bool) -> bool:
    """Finds everything good; of two texts, the first."""
    return True


def first(asked: str, truth: bool) -> bool:
    """Decides rightly, but of two texts prefers the first."""
    return asked == "comparison" or truth


def wrong_at(share: float, seed: int = 1) -> Decide:
    """Decides wrongly that often, by a coin of its own for each decision; 0.5: at random."""
    coin = random.Random(seed)
    return lambda _asked, truth: truth != (coin.random() < share)


class ScriptedJudge:
    """Use it with `with`, which gives itself; `judge` reaches it.

    Attributes:
        decide: how it decides; may be replaced while it runs: then it drifts.
        reply: sent instead of what was asked for.
        status, headers: of each reply.
        hangs: it never answers.
        dies_after: so many requests are answered; after them nobody listens.
        counts_tokens: it tells the tokens of each reply.
        asked: the requests that came.
        port: where it listens, once it does.
    """

    def __init__(self, decide: Decide = good, pairs: Sequence[Pair] | None = None, port: int = 0) -> None:
        self.decide = decide
        self.port = port
        self.reply: str | None = None
        self.status = 200
        self.headers: dict[str, str] = {}
        self.hangs = False
        self.dies_after: int | None = None
        self.counts_tokens = True
        self.asked: list[str] = []
        self._lock = Lock()
        self._closing = Event()
        known = planted.pairs() if pairs is None else pairs
        self._facts = {statement for pair in known for statement in _sentences(pair.right)}
        self._passages = {(pair.question, pair.right) for pair in known}
        self._questions = {pair.answer: pair.question for pair in known if pair.about_passages}
        self._better = {pair.right for pair in known}

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self.port = self._server.server_port
        self._serving = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._serving.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self.die()
        self._serving.join()

    def judge(self, model: str = "scripted", **budget: Any) -> Judge:
        """Who is at this endpoint; nothing is retried unless told otherwise."""
        return Judge(f"http://127.0.0.1:{self.port}/v1", model, "secret", Budget(**{"retries": 0, "call_seconds": 20.0} | budget))

    def die(self) -> None:
        """Nobody listens any more."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, prompt: str) -> dict[str, Any]:
        """What a prompt asks for."""
        given = json.loads(INPUT.findall(prompt)[0])
        with self._lock:
            if "first" in given:
                first_is_better = self.decide("comparison", given["first"] in self._better)
                return {"reason": "-", "better": "first" if first_is_better else "second"}
            if "statements" in given:
                return {"statements": [self._statement(statement, given["context"]) for statement in given["statements"]]}
            if "context" in given:
                return self._useful(given, "classifications" in prompt)
            if "response" in given and "atomicity" not in given:
                relevant = self.decide("relevance", given["response"] in self._questions)
                question = self._questions.get(given["response"], UNRELATED)
                return {"question": question if relevant else UNRELATED, "noncommittal": 0}
            sentences = _sentences(given.get("answer") or given["response"])
            return {"claims": sentences} if "atomicity" in given else {"statements": sentences}

    def _useful(self, given: dict[str, str], by_statement: bool) -> dict[str, Any]:
        useful = int(self.decide("passage", (given["question"], given["context"]) in self._passages))
        if by_statement:
            return {"classifications": [{"statement": given["answer"], "reason": "-", "attributed": useful}]}
        return {"reason": "-", "verdict": useful}

    def _statement(self, statement: str, context: str) -> dict[str, Any]:
        held = statement in self._facts or statement in context
        return {"statement": statement, "reason": "-", "verdict": int(self.decide("statement", held))}

    def _completion(self, request: dict[str, Any]) -> dict[str, Any]:
        prompt = next(message["content"] for message in request["messages"] if INPUT.search(message["content"]))
        content = json.dumps(self.answer(prompt)) if self.reply is None else self.reply
        message = {"role": "assistant", "content": content}
        tokens = {"prompt_tokens": len(prompt) // 4, "completion_tokens": len(content) // 4}
        usage = {"usage": tokens | {"total_tokens": sum(tokens.values())}} if self.counts_tokens else {}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {"id": "1", "object": "chat.completion", "created": 1, "model": request["model"], "choices": [choice]} | usage

    def _handler(judge) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                judge.asked.append(body)
                if judge.hangs:
                    judge._closing.wait(30)
                if judge.hangs or (judge.dies_after is not None and len(judge.asked) > judge.dies_after):
                    if not judge._closing.is_set():
                        Thread(target=judge.die).start()
                    self.close_connection = True
                    return
                reply = json.dumps(judge._completion(json.loads(body)) if judge.status == 200 else {"error": {"message": "no"}}).encode()
                self.send_response(judge.status)
                for name, value in judge.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_: object) -> None:
                """Stays quiet."""

        return Handler


def _sentences(text: str) -> list[str]:
    return [sentence.strip() + "." for sentence in text.rstrip(".").split(". ")]
