"""For minutes, requests that machines make up: no server error, no hang, nothing left open, and alive all the while."""

import logging
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from random import SystemRandom
from threading import Event, Thread
from time import monotonic
from typing import Any, Self, cast

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis import GenerationMode

from tests.api.running import TIMEOUT_S, RunningApi
from tests.proofs.rough_clients import tour
from tests.scripted_chat import ScriptedChat, chunk

# Of each proof.
MINUTES = 10
LIVE_WITHIN_S = 1.0
CLIENTS = 4
HANDLES = Path("/proc/self/fd")
# What is opened once and kept: pools of threads, files of an index that has grown.
HANDLES_MORE = 25
LIMITS: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "phases": [Phase.explicit, Phase.generate],
    "suppress_health_check": list(HealthCheck),
}
# Which operations take what a reply, or the request before it, has named.
DOC_ID, NUMBER, NAME = {"doc_id": "$request.path.doc_id"}, {"number": "$response.body#/number"}, {"name": "$request.path.name"}
IDENTIFIER, FIRST = {"identifier": "$response.body#/id"}, {"number": "$response.body#/items/0/number"}
FOLLOWS = {
    ("put", "/v1/documents/{doc_id}", "202"): (DOC_ID, "get_document put_document replay_document delete_document"),
    ("delete", "/v1/documents/{doc_id}", "202"): (DOC_ID, "get_document put_document delete_document"),
    ("post", "/v1/answers", "200"): (IDENTIFIER, "get_answer replay_answer"),
    ("get", "/v1/releases/live", "200"): (NUMBER, "get_release shadow promote"),
    ("get", "/v1/releases", "200"): (FIRST, "get_release shadow promote"),
    ("post", "/v1/rebuilds", "202"): (NUMBER, "get_rebuild cancel_rebuild"),
    ("post", "/v1/keys", "201"): (IDENTIFIER, "rotate_key revoke_key"),
    ("post", "/v1/keys/{identifier}/rotate", "200"): (IDENTIFIER, "rotate_key revoke_key"),
    ("put", "/v1/golden/{name}", "200"): (NAME, "get_golden check_golden list_proposals make_proposals put_golden drop_golden"),
    ("delete", "/v1/golden/{name}", "204"): (NAME, "get_golden put_golden drop_golden"),
    ("get", "/v1/evaluations", "200"): ({"identifier": "$response.body#/items/0/id"}, "get_evaluation"),
}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(MINUTES * 60 + 600)]


@schemathesis.serializer("application/x-ndjson")
def as_bytes(_, value):
    """A bulk body is described as a string."""
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[RunningApi]:
    """An API with an ingester and a language model that takes its time."""
    (tmp_path / "serving.toml").write_text("answer_seconds = 20\n")
    with ScriptedChat(slowly) as chat:
        # How fresh an index is beside all this is another matter, and its alarm no error of a request.
        told = {"llm_url": chat.url, "llm_model": "teller", "serving": tmp_path / "serving.toml", "freshness_goal_s": 300}
        with RunningApi(tmp_path, **told) as running:
            running.start_ingester().put("mine", "The great copper mine is in Falun.", metadata={"lang": "en"})
            yield running


@pytest.fixture
def well(served: RunningApi, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Looks whether the API is alive while the test runs, and afterwards that nothing was left open, logged as an error, or shut out."""
    caplog.set_level(logging.ERROR)
    before = len(list(HANDLES.iterdir()))
    with Pulse(served.port) as pulse:
        yield
    assert pulse.worst_s < LIVE_WITHIN_S
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR] == []
    renew_key(served)
    # What was there may have been deleted, and what is live pinned, by requests that may do so.
    assert served.post("/v1/resume", {"reason": "it is over"}).status == 200
    assert served.put("after", "Silver was found in Sala.").status == 200
    assert "after" in served.found("silver in Sala")
    RunningApi.until(lambda: len(list(HANDLES.iterdir())) <= before + HANDLES_MORE)


def test_no_sequence_of_requests_that_can_be_made_up_is_a_server_error(served, well):
    schema, machine = described(served)
    strategies = [operation.ok().as_strategy(generation_mode=mode) for operation in schema.get_all_operations() for mode in GenerationMode]
    statuses: Counter[int] = Counter()
    failures: list[tuple[Any, ...]] = []

    def look(reply: Any) -> None:
        statuses[reply.status_code] += 1
        if reply.status_code >= 500 and not (reply.status_code == 503 and "retry-after" in reply.headers):
            failures.append((reply.status_code, reply.request.method, reply.request.url, reply.request.body, reply.text))

    def how() -> dict[str, Any]:
        renew_key(served)
        return {"headers": {"Authorization": f"Bearer {served.admin}"}, "timeout": TIMEOUT_S}

    class Sequences(machine):
        """Each step uses what the steps before it have made."""

        def get_call_kwargs(self, case):
            return how()

        def validate_response(self, response, case, *_, **__):
            look(response)

    end = monotonic() + MINUTES * 60
    while monotonic() < end:
        # What an API answers depends on what was asked before: hypothesis calls that flaky, and begins anew.
        with suppress(FlakyStrategyDefinition):
            Sequences.run(settings=settings(max_examples=25, stateful_step_count=12, **LIMITS))
        for strategy in strategies:
            if monotonic() < end:
                settings(max_examples=4, **LIMITS)(cast(Any, given)(strategy)(lambda case: look(case.call(**how()))))()
    print(dict(statuses))
    assert failures == []
    assert statuses[200] > 100
    assert statuses[404] > 10


def test_no_client_that_breaks_the_rules_is_a_server_error_or_holds_on_to_anything(served, well):
    seed = SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # pytest shows it when this fails
    with ProcessPoolExecutor(CLIENTS, mp_context=get_context("spawn")) as clients:
        asked = [clients.submit(tour, served.port, served.admin, seed + client, MINUTES * 60.0, TIMEOUT_S) for client in range(CLIENTS)]
        tours = [each.result() for each in asked]
    statuses = sum((each.statuses for each in tours), Counter[str]())
    print(dict(sorted(statuses.items())))
    assert [failed for each in tours for failed in each.failed] == []
    assert [hung for each in tours for hung in each.hung] == []
    assert statuses["stream 200"] > 10


def renew_key(served: RunningApi) -> None:
    """A step may have rotated or revoked the very key that is used."""
    if served.get("/v1/releases").status == 401:
        served.admin = served.key("admin")


class Pulse(Thread):
    """Asks again and again whether the API is alive; use it with `with`.

    Attributes:
        worst_s: the longest that it took to say so; without end if it did not.
    """

    def __init__(self, port: int) -> None:
        super().__init__()
        self.worst_s = 0.0
        self._url = f"http://127.0.0.1:{port}/health/live"
        self._stopping = Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.join()

    def run(self) -> None:
        """Until it is stopped."""
        with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
            while not self._stopping.wait(0.1):
                began = monotonic()
                try:
                    lives = client.get(self._url).status_code == 200
                except httpx.HTTPError:
                    lives = False
                self.worst_s = max(self.worst_s, monotonic() - began if lives else float("inf"))


def described(served: RunningApi) -> tuple[Any, Any]:
    """What OpenAPI says, and a machine that follows the links in it and those that are told here."""
    document = served.get("/schema/openapi.json").json
    for (method, path, status), (parameters, operations) in FOLLOWS.items():
        links = {name: {"operationId": name, "parameters": parameters} for name in operations.split()}
        document["paths"][path][method]["responses"][status]["links"] = links
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=f"http://127.0.0.1:{served.port}")
    return schema, schema.as_state_machine()


def slowly(_: dict[str, Any]) -> Iterator[bytes | float]:
    """A sentence of the sources, then pauses in the middle of others."""
    yield chunk('The great copper mine is in Falun. [1: "The great copper mine is in Falun."] ')
    for _ in range(5):
        yield 0.05
        yield chunk("It is ")
    yield chunk("large.", finish="stop")
    yield b"data: [DONE]\n\n"
