"""How RAGAS' prompts reach the judge: counted, bounded, and with replies that are looked at before they become numbers."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from openai import APIError, APIStatusError
from pydantic import BaseModel, ValidationError

from evals import telemetry
from evals.budget import Budget, Meter

telemetry.off()
from ragas.llms import InstructorBaseRagasLLM, llm_factory  # noqa: E402 - it would have sent events already

if TYPE_CHECKING:
    from openai import AsyncOpenAI

# It logs each failed call with what was sent; the reasons of unmeasured scores say enough.
logging.getLogger("instructor").setLevel(logging.CRITICAL)
# Fields of RAGAS' replies that mean no or yes.
BINARY = {"verdict", "attributed", "noncommittal"}
MAX_REASON_CHARACTERS = 200
# A reply that is not what was asked for is asked for once more, with what was wrong.
ASKED_AGAIN = 1
Reply = TypeVar("Reply", bound=BaseModel)


class Garbage(Exception):
    """The judge replied, but not what was asked for: RAGAS would make a 0, or a better score than it is, of it."""


class JudgeCalls(InstructorBaseRagasLLM):
    """The judge as RAGAS' metrics call it."""

    def __init__(self, client: "AsyncOpenAI", model: str, meter: Meter, key: str = "") -> None:
        made: Any = llm_factory(model, client=client, max_tokens=meter.budget.reply_tokens, max_retries=ASKED_AGAIN)
        made.client.on("completion:response", self._count)
        self._llm = made
        self._meter = meter
        self._key = key
        self._asked = ""

    def generate(self, prompt: str, response_model: type[Reply]) -> Reply:
        """Not offered: many are asked at once."""
        raise NotImplementedError

    async def agenerate(self, prompt: str, response_model: type[Reply]) -> Reply:
        """The judge's reply to a prompt.

        Raises `NotAsked` when the budget is used up, `Garbage` for a reply that answers nothing, `TimeoutError`, and whatever the
        client raises for an endpoint that fails.
        """
        self._meter.admit()
        self._asked = prompt
        try:
            async with asyncio.timeout(self._meter.budget.call_seconds):
                reply: Reply = await self._llm.agenerate(prompt, response_model)
        except TimeoutError:
            self._meter.failed(late(self._meter.budget))
            raise
        except Exception as error:
            if isinstance(root(error), APIError):
                self._meter.failed(reason_of(error, self._key))
            raise
        if wrong := fault(reply.model_dump()):
            raise Garbage(wrong)
        return reply

    def _count(self, response: Any) -> None:
        # Of calls at the same time the last prompt stands for each: prompts of one kind are about as long as each other.
        tokens = getattr(getattr(response, "usage", None), "total_tokens", None)
        choices = getattr(response, "choices", None) or ()
        written = "".join(str(getattr(choice.message, "content", None) or "") for choice in choices)
        self._meter.replied(self._asked, written, tokens if isinstance(tokens, int) and tokens > 0 else None)


def fault(reply: Mapping[str, Any]) -> str | None:
    """What is wrong with a reply that has the right form; None when nothing is."""
    for name, value in reply.items():
        if name in BINARY and value not in (0, 1):
            return f"{name} is {value!r}, neither 0 nor 1"
        if name in ("question", "statement") and not str(value).strip():
            return f"{name} is empty"
        if isinstance(value, Sequence) and not isinstance(value, str):
            if not value:
                return f"{name}: there are none"
            if found := next(filter(None, (fault(each) for each in value if isinstance(each, Mapping))), None):
                return found
    return None


def late(budget: Budget) -> str:
    """What is said of a call that took too long."""
    return f"no verdict within {budget.call_seconds:g} s"


def root(error: BaseException) -> BaseException:
    """The error at the bottom of what RAGAS and its client wrapped around it, or the endpoint's on the way there."""
    while error.__cause__ is not None and not isinstance(error, APIError):
        error = error.__cause__
    return error


def reason_of(error: BaseException, key: str = "") -> str:
    """The error that matters, on one line: without the key, and without what the judge wrote, which may quote documents."""
    found = root(error)
    if isinstance(found, APIError) and found.__cause__ is not None and "onnection" in type(found).__name__:
        found = found.__cause__
    text = " ".join(str(found).split())
    if isinstance(found, ValidationError):
        first = found.errors(include_input=False, include_url=False, include_context=False)[0]
        text = ": ".join([*map(str, first["loc"]), first["msg"]])
    elif isinstance(found, APIStatusError) and found.status_code == 422:
        text = "Error code: 422"  # some servers send back what they were sent
    told = f"{type(found).__name__}: {text}"
    return (told.replace(key, "…") if key else told)[:MAX_REASON_CHARACTERS]
