"""What OpenAI's clients send to `/v1/chat/completions`, as far as it means something here, and what they get."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from api.asked import CitationReply
from api.requests import Filter, ReleaseNumber

MODEL = "groundwork"
Count = Annotated[int, Meta(ge=0, le=2**31)]


class ContentPart(msgspec.Struct):
    """A part of a message; only text can be read."""

    type: str
    text: str | None = None


class ChatMessage(msgspec.Struct):
    """A turn of the conversation."""

    role: Annotated[str, Meta(max_length=100)]
    content: str | list[ContentPart] | None = None


class StreamOptions(msgspec.Struct):
    """How to stream."""

    include_usage: bool | None = None


class Searching(msgspec.Struct, forbid_unknown_fields=True):
    """What other endpoints of Groundwork take, for clients that can send more than OpenAI's API knows (`extra_body`)."""

    k: Annotated[int, Meta(ge=1, le=50)] = 8
    filter: Filter = {}
    release: ReleaseNumber | None = None


class ChatRequest(msgspec.Struct, kw_only=True):
    """Messages, of which the last one of the user is the question. Fields that are not listed have no effect."""

    model: Annotated[str, Meta(max_length=200, examples=[MODEL])]
    messages: Annotated[
        list[ChatMessage], Meta(max_length=1_000, examples=[[{"role": "user", "content": "Which package schedules workflows?"}]])
    ]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    logprobs: bool | None = None
    response_format: dict[str, Any] | None = None
    modalities: list[Any] | None = None
    groundwork: Searching | None = None


class ModelReply(msgspec.Struct):
    """A name for what answers."""

    id: str
    created: int
    object: str = "model"
    owned_by: str = "groundwork"


class ModelsReply(msgspec.Struct):
    """All of them."""

    data: list[ModelReply]
    object: str = "list"


class UsageReply(msgspec.Struct):
    """Tokens: those that a language model's endpoint counted, or else those of the question and the answer as the embedder counts."""

    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count


class GroundworkReply(msgspec.Struct):
    """What an answer rests on; `id` is that of its record."""

    id: str
    citations: list[CitationReply]
    grounded: bool
    release: int
    generator: str
    degraded: list[str]


class MessageReply(msgspec.Struct):
    """The answer."""

    content: str
    role: str = "assistant"
    refusal: None = None


class ChoiceReply(msgspec.Struct):
    """There is one."""

    message: MessageReply
    finish_reason: Literal["stop", "length"]
    index: int = 0
    logprobs: None = None


class CompletionReply(msgspec.Struct):
    """A completion, with what it rests on in `groundwork`."""

    id: str
    created: int
    model: str
    choices: list[ChoiceReply]
    usage: UsageReply
    groundwork: GroundworkReply
    object: str = "chat.completion"


class DeltaReply(msgspec.Struct, omit_defaults=True):
    """What comes next."""

    role: str | None = None
    content: str | None = None


class ChunkChoiceReply(msgspec.Struct):
    """A piece of the one choice."""

    delta: DeltaReply
    finish_reason: Literal["stop", "length"] | None = None
    index: int = 0


class ChunkReply(msgspec.Struct, omit_defaults=True):
    """A piece of a streamed completion; the last with a choice has `groundwork`."""

    id: str
    created: int
    model: str
    choices: list[ChunkChoiceReply]
    object: str = msgspec.field(default_factory=lambda: "chat.completion.chunk")
    usage: UsageReply | None = None
    groundwork: GroundworkReply | None = None
