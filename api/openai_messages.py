"""A conversation to the question that is asked (pure)."""

import re
from collections.abc import Sequence

from api.openai_contracts import ChatMessage, ChatRequest
from index.errors import BadRequest

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
# A short question that speaks of something by a pronoun, or begins as if it went on, is about what was asked before.
SHORT = 8
_POINTS_BACK = re.compile(r"\b(?:it|its|they|them|their|he|she|his|her|him|this|that|these|those|there|one|ones|same)\b", re.IGNORECASE)
_GOES_ON = re.compile(r"^\s*(?:and|but|or|so|why|what about|how about|what else|which ones?)\b", re.IGNORECASE)
LONGEST = 8_000


def question_of(messages: Sequence[ChatMessage]) -> str:
    """The last turn of the user; after the one before it, where it plainly goes on from that.

    Other turns, those of the system too, are not followed: what answers has instructions of its own.
    Raises `BadRequest`.
    """
    if unknown := [message.role for message in messages if message.role not in ROLES]:
        raise BadRequest(f"messages: the role {unknown[0]!r} is not one of {', '.join(ROLES)}")
    asked = [text for message in messages if message.role == "user" if (text := _text(message).strip())]
    if not asked:
        raise BadRequest("messages: there is no question: send a message with the role user and some text")
    question = asked[-1]
    if len(asked) > 1 and _is_follow_up(question) and len(both := f"{asked[-2]}\n{question}") <= LONGEST:
        question = both
    if len(question) > LONGEST:
        raise BadRequest(f"messages: the question has {len(question)} characters; at most {LONGEST} are taken")
    return question


def refuse_what_is_not_done(asked: ChatRequest) -> None:
    """Raises `BadRequest` where a reply would be something else than its caller counts on."""
    form = (asked.response_format or {}).get("type", "text")
    faults = {
        "n: one answer is given; leave it out or send 1": asked.n not in (None, 1),
        "tools: answers come from the sources alone; leave tools out": bool(asked.tools),
        "functions: answers come from the sources alone; leave functions out": bool(asked.functions),
        "logprobs: an answer is made of checked sentences, which have none": bool(asked.logprobs),
        "response_format: an answer is text; leave it out": form != "text",
        "modalities: an answer is text; leave it out": bool(asked.modalities) and asked.modalities != ["text"],
    }
    if found := [fault for fault, there in faults.items() if there]:
        raise BadRequest("; ".join(found))


def _text(message: ChatMessage) -> str:
    if not isinstance(message.content, list):
        return message.content or ""
    if other := [part.type for part in message.content if part.type != "text"]:
        raise BadRequest(f"messages: a part of the type {other[0][:40]!r} can't be read; send text")
    return "\n".join(part.text or "" for part in message.content)


def _is_follow_up(question: str) -> bool:
    return bool(_GOES_ON.search(question)) or (len(question.split()) <= SHORT and bool(_POINTS_BACK.search(question)))
