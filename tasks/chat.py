"""An OpenAI-compatible endpoint that streams what a model writes, within bounds of time and size."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from ssl import SSLContext
from typing import Any
from urllib.parse import urlsplit

import httpx

from tasks.answer import GeneratorFailed, Usage

SILENCE_S = 30.0
CONNECT_S = 5.0
MAX_ANSWER_TOKENS = 512
# Many times what so many tokens take; who sends more does not answer a question.
MOST_BYTES = 4 * 1024 * 1024
MOST_CHARACTERS = 32 * 1024
MOST_COUNTED = 2**31
ATTEMPTS = 2
EVENTS = "text/event-stream"
CALLS = ("tool_calls", "function_call")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
Message = Mapping[str, str]
Hear = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model answers; `key` may be empty for a local server. It may be silent for `timeout_s`."""

    url: str
    model: str
    key: str = "none"
    timeout_s: float = SILENCE_S


@dataclass(frozen=True, slots=True)
class Ended:
    """How a model's text ended: `stop`, `length` ...; and the tokens it took, where the endpoint counts them."""

    reason: str
    usage: Usage | None


async def write(endpoint: Endpoint, messages: Sequence[Message], hear: Hear) -> Ended:
    """Has a model write; `hear` gets each piece as it comes. When it is cancelled, the connection is closed.

    Raises `GeneratorFailed`: the endpoint refuses, can't be reached, sends what is no completion, too much, or no end.
    """
    body = {
        "model": endpoint.model,
        "messages": list(messages),
        "max_tokens": MAX_ANSWER_TOKENS,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    for attempt in range(1, ATTEMPTS + 1):
        reading = _Reading(hear)
        try:
            return await _once(endpoint, body, reading)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            if reading.began or attempt == ATTEMPTS or not _may_pass(error):
                raise GeneratorFailed(f"the model endpoint failed ({_name(error)})") from error
        except (ValueError, AttributeError, TypeError, LookupError, RecursionError) as error:  # what came is no completion
            raise GeneratorFailed(f"the model endpoint failed ({type(error).__name__}: what it sent is no completion)") from error
    raise AssertionError("the last attempt returns or raises")


async def _once(endpoint: Endpoint, body: Mapping[str, Any], reading: "_Reading") -> Ended:
    headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
    async with (
        _client(endpoint) as client,
        client.stream("POST", f"{endpoint.url.rstrip('/')}/chat/completions", json=body, headers=headers) as reply,
    ):
        reply.raise_for_status()
        pieces = _bounded(reply.aiter_bytes())
        if reply.headers.get("content-type", "").lower().startswith(EVENTS):
            await _events(pieces, reading)
        else:  # it does not stream
            reading.began = True
            await reading.take(json.loads(b"".join([piece async for piece in pieces])), "message")
        return reading.ended()


class _Reading:
    """What has been understood of a reply."""

    def __init__(self, hear: Hear) -> None:
        self.began = False
        self._hear = hear
        self._characters = 0
        self._wrote = False
        self._reason: str | None = None
        self._usage: Usage | None = None

    async def take(self, sent: Any, part: str) -> None:
        """One event, with its text in `delta`, or a whole completion, with its text in `message`."""
        if sent.get("error"):
            raise GeneratorFailed("the model endpoint failed (it sent an error)")
        self._usage = _usage(sent.get("usage")) or self._usage
        for choice in sent.get("choices") or []:
            written = choice.get(part) or {}
            if any(written.get(call) for call in CALLS):
                raise GeneratorFailed("the model asked for a tool, and none was offered")
            text = written.get("content")
            if isinstance(text, str) and text:
                await self._heard(text)
            if isinstance(reason := choice.get("finish_reason"), str):
                self._reason = reason
            break

    async def _heard(self, text: str) -> None:
        self._characters += len(text)
        self._wrote = self._wrote or bool(text.strip())
        if self._characters > MOST_CHARACTERS:
            raise GeneratorFailed(f"the model wrote more than {MOST_CHARACTERS} characters")
        await self._hear(text)

    def ended(self) -> Ended:
        """How it ended; raises when it did not."""
        if not self._wrote:
            raise GeneratorFailed("the model endpoint sent an empty answer")
        if self._reason is None:
            raise GeneratorFailed("the model endpoint stopped in the middle of an answer")
        return Ended(self._reason, self._usage)


async def _events(pieces: AsyncIterator[bytes], reading: _Reading) -> None:
    """Reads server-sent events up to the last; each line of data is one event, as all such endpoints send them."""
    waiting = bytearray()
    async for piece in pieces:
        waiting += piece
        if b"\n" not in piece:
            continue
        *lines, rest = bytes(waiting).split(b"\n")
        waiting = bytearray(rest)
        for line in lines:
            name, _, value = line.partition(b":")
            if name.strip() != b"data":
                continue
            reading.began = True
            if value.strip() == b"[DONE]":
                return
            await reading.take(json.loads(value), "delta")


async def _bounded(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces, and an end to an endless reply."""
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > MOST_BYTES:
            raise GeneratorFailed(f"the model endpoint sent more than {MOST_BYTES} bytes")
        yield piece


def _client(endpoint: Endpoint) -> httpx.AsyncClient:
    """One for each answer: closing it is what stops a model."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(endpoint.timeout_s, connect=min(CONNECT_S, endpoint.timeout_s)),
        verify=_certificates(),
        trust_env=urlsplit(endpoint.url).hostname not in LOOPBACK,  # a proxy can't reach this machine's loopback
    )


@cache
def _certificates() -> SSLContext:
    """Read once: it takes longer than a call on this machine."""
    return httpx.create_ssl_context()


def _usage(sent: Any) -> Usage | None:
    """The tokens of a reply, where they can be meant."""
    given: dict[str, Any] = sent if isinstance(sent, dict) else {}
    prompt, completion = given.get("prompt_tokens"), given.get("completion_tokens")
    if not (type(prompt) is int and type(completion) is int):
        return None
    return Usage(prompt, completion) if 0 <= prompt < MOST_COUNTED and 0 <= completion < MOST_COUNTED else None


def _may_pass(error: Exception) -> bool:
    """Whether the same request may work at once; not where the endpoint says when it is to be asked again."""
    if not isinstance(error, httpx.HTTPStatusError):
        return isinstance(error, httpx.TransportError)
    status = error.response.status_code
    return (status in (408, 429) or status >= 500) and "retry-after" not in error.response.headers


def _name(error: Exception) -> str:
    return f"HTTP {error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else type(error).__name__
