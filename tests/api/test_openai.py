"""The official client of OpenAI's API against a running Groundwork."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.api.running import RunningApi
from tests.scripted_chat import ScriptedChat, says

FACT = "The Visby lighthouse was lit in 1854 by a widow."
ASKED = "Who lit the Visby lighthouse in 1854?"


@pytest.fixture(scope="module")
def client(api: RunningApi) -> Iterator[OpenAI]:
    api.put("lighthouse", FACT, metadata={"shelf": "coast"})
    with OpenAI(base_url=f"http://127.0.0.1:{api.port}/v1", api_key=api.key("reader"), max_retries=0) as found:
        yield found


def user(*texts: str) -> list[Any]:
    return [{"role": "user", "content": text} for text in texts]


def test_the_models_are_listed_and_found(client):
    assert [model.id for model in client.models.list()] == ["groundwork"]
    assert client.models.retrieve("groundwork").owned_by == "groundwork"
    with pytest.raises(openai.NotFoundError, match="called 'groundwork'"):
        client.models.retrieve("gpt-4o")


def test_a_whole_answer_has_its_citations_and_its_tokens(api, client):
    reply = client.chat.completions.create(model="groundwork", messages=user(ASKED), temperature=0.2, max_tokens=9, seed=1, user="me")
    assert reply.choices[0].message.content.startswith(f"{FACT} [1]")
    assert reply.choices[0].finish_reason == "stop"
    rests_on = reply.groundwork
    assert (rests_on["citations"][0]["quote"], rests_on["citations"][0]["doc_id"], rests_on["grounded"]) == (FACT, "lighthouse", True)
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens > 0
    assert api.get(f"/v1/answers/{rests_on['id']}").json["answer"] == reply.choices[0].message.content


def test_a_streamed_answer_says_the_same_in_pieces(client):
    whole = client.chat.completions.create(model="groundwork", messages=user(ASKED)).choices[0].message.content
    pieces = list(
        client.chat.completions.create(model="groundwork", messages=user(ASKED), stream=True, stream_options={"include_usage": True})
    )
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices) == whole
    assert [piece.choices[0].finish_reason for piece in pieces if piece.choices][-1] == "stop"
    assert pieces[-1].choices == []
    assert pieces[-1].usage.total_tokens > 0
    assert pieces[-2].groundwork["citations"][0]["quote"] == FACT


def test_usage_is_streamed_only_where_it_is_asked_for(client):
    pieces = list(client.chat.completions.create(model="groundwork", messages=user(ASKED), stream=True))
    assert all(piece.choices and piece.usage is None for piece in pieces)


def test_a_conversation_is_read_to_its_question(client):
    talk = [
        {"role": "system", "content": "Answer in rhyme."},
        *user("Where is the Visby lighthouse?"),
        {"role": "assistant", "content": "In Visby."},
        {"role": "user", "content": [{"type": "text", "text": "And who lit it in 1854?"}]},
    ]
    reply = client.chat.completions.create(model="groundwork", messages=talk)
    assert FACT in reply.choices[0].message.content


def test_more_can_be_asked_for_than_openai_knows(client):
    reply = client.chat.completions.create(
        model="groundwork", messages=user(ASKED), extra_body={"groundwork": {"k": 1, "filter": {"doc_id": "mine"}}}
    )
    assert "lighthouse" not in [citation["doc_id"] for citation in reply.groundwork["citations"]]


def test_the_filter_of_a_key_holds_here_too(api):
    secret = api.key("reader", {"doc_id": "mine"})
    with OpenAI(base_url=f"http://127.0.0.1:{api.port}/v1", api_key=secret) as narrow:
        reply = narrow.chat.completions.create(model="groundwork", messages=user(ASKED))
    assert FACT not in reply.choices[0].message.content


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"n": 2}, "n: one answer is given"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools: answers come from the sources alone"),
        ({"response_format": {"type": "json_object"}}, "response_format: an answer is text"),
        ({"logprobs": True}, "logprobs"),
        ({"messages": []}, "there is no question"),
        ({"messages": user("  ")}, "there is no question"),
        ({"messages": [{"role": "king", "content": "Who?"}]}, "the role 'king'"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "'image_url' can't be read"),
        ({"messages": 5}, "messages"),
        ({"extra_body": {"groundwork": {"depth": 9}}}, "depth"),
        ({"extra_body": {"groundwork": {"filter": {"text": 1}}}}, "text"),
    ],
)
def test_what_is_not_done_is_refused_with_a_reason(client, more, reason):
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(**{"model": "groundwork", "messages": user(ASKED)} | more)
    assert reason in str(refused.value)
    assert refused.value.type == "invalid_request_error"


def test_a_wrong_key_and_a_wrong_model_raise_what_clients_expect(api, client):
    with pytest.raises(openai.AuthenticationError, match="wrong, expired or revoked"):
        client.with_options(api_key="gw_wrong").models.list()
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="gpt-4o", messages=user(ASKED), stream=True)
    assert unknown.value.code == "model_not_found"


@pytest.mark.thorough
def test_a_language_model_that_breaks_off_is_an_error_of_the_client(tmp_path):
    script = says(f'{FACT} [1: "{FACT}"] ', "And then ", finish=None, ends=False)
    with ScriptedChat(script) as chat, RunningApi(tmp_path, llm_url=chat.url, llm_model="teller") as running:
        running.start_ingester().put("lighthouse", FACT)
        with OpenAI(base_url=f"http://127.0.0.1:{running.port}/v1", api_key=running.admin, max_retries=0) as client:
            with pytest.raises(openai.APIError, match="what came of it is not whole"):
                list(client.chat.completions.create(model="groundwork", messages=user(ASKED), stream=True))
            chat.script = says(f'{FACT} [1: "{FACT}"]', finish="length", usage=(70, 7))
            whole = client.chat.completions.create(model="groundwork", messages=user(ASKED))
    assert (whole.choices[0].finish_reason, whole.usage.prompt_tokens, whole.usage.completion_tokens) == ("length", 70, 7)
    assert whole.groundwork["generator"] == "teller"
