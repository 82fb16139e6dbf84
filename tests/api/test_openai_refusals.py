"""Whatever refuses a request of OpenAI's client, the client raises what its users expect, and says why."""

import json
import socket
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import openai
import pytest
from openai import OpenAI

from api.dialects import openai_error, told
from tests.api.running import RunningApi
from tests.scripted_chat import ScriptedChat, chunk

ASKED: list[Any] = [{"role": "user", "content": "Who lit the Visby lighthouse in 1854?"}]
FACT = "The Visby lighthouse was lit in 1854 by a widow."


@pytest.fixture(scope="module")
def ask(api: RunningApi) -> Iterator[Callable[[Callable[[OpenAI], object], str], openai.APIStatusError]]:
    """What a client raises when it does something."""

    def raised(do: Callable[[OpenAI], object], key: str = "") -> openai.APIStatusError:
        with client_of(api, key or api.admin) as client, pytest.raises(openai.APIStatusError) as error:
            do(client)
        return error.value

    return raised


def client_of(api: RunningApi, key: str) -> OpenAI:
    return OpenAI(base_url=f"http://127.0.0.1:{api.port}/v1", api_key=key, max_retries=0)


def chat(client: OpenAI, **more: Any) -> Any:
    return client.chat.completions.create(**{"model": "groundwork", "messages": ASKED} | more)


@pytest.mark.parametrize(
    ("do", "status", "kind", "told"),
    [
        (lambda client: chat(client, messages=[{"role": "user", "content": "x" * 1_200_000}]), 413, "invalid_request_error", "too large"),
        (lambda client: chat(client, extra_headers={"Content-Type": "text/plain"}), 415, "invalid_request_error", "application/json"),
        (lambda client: chat(client, extra_query={"q": "x" * 20_000}), 414, "invalid_request_error", "at most 16384"),
        (lambda client: chat(client, extra_headers={f"X-{n}": "x" for n in range(120)}), 431, "invalid_request_error", "at most 100"),
        (lambda client: chat(client, extra_headers={"Request-Timeout": "soon"}), 400, "invalid_request_error", "Request-Timeout"),
        (lambda client: client.models.delete("groundwork"), 405, "invalid_request_error", "DELETE is not allowed"),
        (lambda client: client.get("/models/a/b", cast_to=object), 404, "not_found_error", "nothing is at /v1/models/a/b"),
        (lambda client: client.models.retrieve("gpt-4o"), 404, "not_found_error", "there is no model 'gpt-4o'"),
    ],
)
def test_a_refusal_says_what_was_wrong_in_their_words(ask, do, status, kind, told):
    error = ask(do)
    assert (error.status_code, error.type, error.param) == (status, kind, None)
    assert told in error.message
    assert error.body["message"] == error.response.json()["detail"]


def test_a_wrong_key_is_an_authentication_error_with_its_code(ask):
    error = ask(chat, "gw_wrong")
    assert isinstance(error, openai.AuthenticationError)
    assert (error.code, error.type) == ("invalid_api_key", "authentication_error")
    assert "wrong, expired or revoked" in error.message


def test_too_many_requests_of_a_key_are_a_rate_limit_error(api, ask):
    made = api.post("/v1/keys", {"name": "limited", "per_minute": 1}).json
    with client_of(api, made["key"]) as client:
        chat(client)
    error = ask(chat, made["key"])
    assert isinstance(error, openai.RateLimitError)
    assert (error.code, error.type) == ("rate_limit_exceeded", "rate_limit_error")
    assert "1 requests a minute" in error.message
    assert int(error.response.headers["retry-after"]) > 0


@pytest.mark.parametrize("patience", ["Request-Timeout: 0.3\r\n", ""])
@pytest.mark.thorough
def test_a_body_that_does_not_come_is_told_in_their_words(api, patience):
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {api.admin}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", api.port), timeout=30) as connection:
        connection.sendall(f"{head}{patience}Content-Length: 100\r\n\r\n{{".encode())
        said = b"".join(iter(lambda: connection.recv(65536), b""))
    assert said.startswith(b"HTTP/1.1 408 ")
    problem = json.loads(said.partition(b"\r\n\r\n")[2])
    assert problem["error"] == openai_error(408, problem["detail"])


@pytest.mark.thorough
def test_a_service_that_is_full_is_a_server_error(tmp_path):
    (tmp_path / "serving.toml").write_text("answer_threads = 1\nanswer_queue = 0\n")

    def endless(_: dict[str, Any]) -> Iterator[bytes | float]:
        while True:
            yield chunk("and ")
            yield 0.05

    home = tmp_path / "home"
    with ScriptedChat(endless) as model, RunningApi(home, llm_url=model.url, llm_model="m", serving=tmp_path / "serving.toml") as api:
        api.start_ingester().put("lighthouse", FACT)
        with client_of(api, api.admin) as client:
            first = Thread(target=chat, args=(client,), kwargs={"extra_headers": {"Request-Timeout": "3"}})
            first.start()
            api.until(lambda: model.sent > 0)
            with pytest.raises(openai.InternalServerError) as full:
                chat(client)
            first.join()
    assert (full.value.status_code, full.value.type) == (503, "server_error")
    assert "are worked on" in full.value.message


@pytest.mark.parametrize("status", [403, 500, 503, 504])
def test_other_statuses_have_an_error_too_and_other_routes_have_none(status):
    problem = {"type": "about:blank", "title": "t", "status": status, "detail": "d"}
    for path in ("/v1/chat/completions", "/v1/models", "/v1/models/x"):
        assert told(path, problem) == problem | {"error": openai_error(status, "d")}
    for path in ("/v1/search", "/v1/modelsx", "/v1/chat", "/", ""):
        assert told(path, problem) == problem
