"""Admission: what is refused and how, before the app hears of it."""

import asyncio
import json
from threading import Event
from time import monotonic, sleep
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from api import deadlines
from api.admission import Admission
from api.ahead import Ahead
from api.asking import Asking
from api.keys import Keys
from api.limits import RateLimits
from api.pools import pools
from index.serving import Serving
from tests.fakes import HashingEmbedder


class Caller:
    """Asks an app, behind an admission, and keeps what is replied."""

    def __init__(self, app: Any, serving: Serving, home: Any) -> None:
        self.keys = Keys(home / "keys.json")
        self.pools = pools(serving, 1)
        limits = RateLimits(serving.requests_per_minute)
        self.ahead = Ahead()
        self.app = Admission(app, self.pools, limits, self.keys, CollectorRegistry(), self.ahead)

    async def ask(self, path="/v1/search", *, gone: asyncio.Event | None = None, body=(b"{}",), **headers: str) -> tuple[int, dict, Any]:
        sent: list[Any] = []
        pieces = [{"type": "http.request", "body": piece, "more_body": place < len(body)} for place, piece in enumerate(body, 1)]

        async def receive():
            if pieces:
                return pieces.pop(0)
            await (gone or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        await self.app({"type": "http", "path": path, "headers": given}, receive, send)
        if not sent:
            return 0, {}, None
        start, content = sent
        return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, json.loads(content["body"])


class Slow:
    """An app that replies when it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.begun = 0
        self.left: float | None = None

    async def __call__(self, scope, receive, send):
        self.begun += 1
        self.left = deadlines.remaining()
        assert json.loads((await receive())["body"]) is not None
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


ONE = Serving(search_threads=1, search_queue=1, search_seconds=5.0)


def test_what_is_too_much_is_refused_with_an_honest_time(tmp_path):
    async def crowd():
        slow = Slow()
        caller = Caller(slow, ONE, tmp_path)
        asked = [asyncio.create_task(caller.ask()) for _ in range(3)]
        await asyncio.sleep(0.01)
        status, headers, problem = await asked[2]
        assert (status, headers["retry-after"], headers["content-type"]) == (503, "1", "application/problem+json")
        assert "1 wait" in problem["detail"]
        assert slow.begun == 1
        slow.go.set()
        assert [(await each)[0] for each in asked[:2]] == [200, 200]

    asyncio.run(crowd())


def test_slow_answers_leave_searches_alone(tmp_path):
    async def mixed():
        slow = Slow()
        caller = Caller(slow, Serving(answer_threads=1, answer_queue=1), tmp_path)
        answers = [asyncio.create_task(caller.ask("/v1/answers")) for _ in range(2)]
        search = asyncio.create_task(caller.ask())
        await asyncio.sleep(0.01)
        assert slow.begun == 2  # the first answer, and the search
        slow.go.set()
        assert [(await each)[0] for each in (*answers, search)] == [200] * 3

    asyncio.run(mixed())


def test_what_waits_past_its_deadline_is_dropped_without_work(tmp_path):
    async def wait():
        slow = Slow()
        caller = Caller(slow, ONE, tmp_path)
        first = asyncio.create_task(caller.ask())
        await asyncio.sleep(0.01)
        status, headers, problem = await caller.ask(request_timeout="0.05")
        assert (status, headers["retry-after"], slow.begun) == (503, "1", 1)
        assert "nothing was done" in problem["detail"]
        slow.go.set()
        assert (await first)[0] == 200

    asyncio.run(wait())


def test_what_is_worked_on_past_its_deadline_is_a_504_and_keeps_its_place_until_it_ends(tmp_path):
    async def work():
        slow = Slow()
        caller = Caller(slow, ONE, tmp_path)
        asked = asyncio.create_task(caller.ask(request_timeout="0.05"))
        await asyncio.sleep(0.1)
        assert caller.pools.by_name["search"].busy == 1
        slow.go.set()
        assert (await asked)[0] == 504
        assert caller.pools.by_name["search"].busy == 0

    asyncio.run(work())


def test_who_waits_knows_what_time_is_left(tmp_path):
    async def ask():
        slow = Slow()
        slow.go.set()
        await Caller(slow, ONE, tmp_path).ask(request_timeout="2")
        assert 1.5 < (slow.left or 0) <= 2
        await Caller(slow, ONE, tmp_path).ask(request_timeout="3600")
        assert 4.5 < (slow.left or 0) <= 5

    asyncio.run(ask())


def test_who_has_gone_is_not_worked_for(tmp_path):
    async def leave():
        slow, gone = Slow(), asyncio.Event()
        caller = Caller(slow, ONE, tmp_path)
        first = asyncio.create_task(caller.ask())
        await asyncio.sleep(0.01)
        second = asyncio.create_task(caller.ask(gone=gone))
        await asyncio.sleep(0.01)
        gone.set()
        assert (await second)[0] == 0
        slow.go.set()
        assert ((await first)[0], slow.begun) == (200, 1)

    asyncio.run(leave())


def test_a_body_that_comes_slowly_takes_nobodys_place(tmp_path):
    async def crawl():
        caller = Caller(Slow(), ONE, tmp_path)
        asked = asyncio.create_task(caller.app({"type": "http", "path": "/v1/search", "headers": []}, asyncio.Event().wait, None))
        await asyncio.sleep(0.01)
        assert caller.pools.by_name["search"].busy == 0
        asked.cancel()

    asyncio.run(crawl())


def test_the_question_of_a_search_that_waits_may_be_embedded_if_its_key_is_one(tmp_path):
    async def wait():
        slow, model = Slow(), Asking(HashingEmbedder(), Serving(), here=True)
        caller = Caller(slow, Serving(search_threads=1), tmp_path)
        caller.ahead.uses(model)
        key = f"Bearer {caller.keys.create('reader')[1]}"
        questions = [("first", key), ("known", key), ("unknown", "Bearer of no key")]
        asked = [
            asyncio.create_task(caller.ask(body=(b'{"query": "%s"}' % text.encode(),), authorization=secret)) for text, secret in questions
        ]
        await asyncio.sleep(0.01)
        assert slow.begun == 1
        assert model._together
        assert list(model._together._ahead) == ["known"]
        slow.go.set()
        assert [(await each)[0] for each in asked] == [200] * 3
        assert not model._together._ahead

    asyncio.run(wait())


@pytest.mark.parametrize("value", ["soon", "-1", "0", "nan", "inf"])
def test_a_time_that_is_none_is_the_callers_fault(tmp_path, value):
    status, _, problem = asyncio.run(Caller(None, ONE, tmp_path).ask(request_timeout=value))
    assert (status, "Request-Timeout" in problem["detail"]) == (400, True)


def test_a_key_over_its_limit_is_told_when_to_come_back(tmp_path):
    async def ask():
        slow = Slow()
        slow.go.set()
        caller = Caller(slow, Serving(requests_per_minute=2), tmp_path)
        keys = [f"Bearer {caller.keys.create('reader')[1]}" for _ in range(2)]
        told = [await caller.ask(authorization=keys[0]) for _ in range(3)]
        assert [status for status, _, _ in told] == [200, 200, 429]
        assert told[0][1]["ratelimit"] == '"key";r=1;t=60'
        assert told[2][1]["retry-after"] == "60"
        assert "2 requests a minute" in told[2][2]["detail"]
        assert (await caller.ask(authorization=keys[1]))[0] == 200
        assert (await caller.ask("/health/live", authorization=keys[0]))[0] == 200

    asyncio.run(ask())


def test_refusals_are_quick(tmp_path):
    async def crowd():
        slow = Slow()
        caller = Caller(slow, ONE, tmp_path)
        asked = [asyncio.create_task(caller.ask()) for _ in range(2)]
        await asyncio.sleep(0.01)
        began = monotonic()
        refused = [await caller.ask() for _ in range(200)]
        assert {status for status, _, _ in refused} == {503}
        assert (monotonic() - began) / 200 < 0.005
        slow.go.set()
        await asyncio.gather(*asked)

    asyncio.run(crowd())


@pytest.mark.thorough
def test_a_long_search_is_cut_off_for_the_caller(own):
    own.start_ingester().put("mine", "The great copper mine is in Falun.")
    embedder = own.platform.embedder()
    held = Event()

    def slowly(text):
        held.wait(5)
        return type(embedder).embed_query(embedder, text)

    embedder.embed_query = slowly
    reply = own.post("/v1/search", {"query": "where is copper"}, headers={"Request-Timeout": "0.1"})
    assert (reply.status, reply.headers["retry-after"]) == (504, "1")
    held.set()
    sleep(0.05)
    assert own.found("where is copper?") == ["mine"]
