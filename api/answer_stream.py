"""An answer as server-sent events: `sources`, `token`..., and `done` or `error`."""

import msgspec
from litestar.response import Stream

from api.asked import Asked, CitationReply, answer_reply, citation_reply, source_reply
from api.events import Send, event, streamed
from tasks.answer import Part


class TokenReply(msgspec.Struct):
    """The next sentence of a streamed answer. Its citation was checked; None where the sentence says that nothing bears it out."""

    text: str
    citation: CitationReply | None


def answer_events(asked: Asked) -> Stream:
    """The reply. Who goes away before `done` gets no answer: none is recorded."""

    async def work(send: Send) -> None:
        async def say(part: Part) -> None:
            citation = citation_reply(part.citation) if part.citation else None
            await send(event("token", TokenReply(part.text, citation)))

        await send(event("sources", [source_reply(source) for source in asked.sources]))
        made = await asked.answer(say)
        record = await asked.kept(made)
        await send(event("done", answer_reply(made, record.id)))

    return streamed(work)
