"""Records of answers, and the same questions asked again."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from index.answers import AnswerRecord, Passage
from index.releases import Release
from tasks.answer import Answer, Question
from tasks.retrieve import Hit


@dataclass(frozen=True, slots=True)
class Difference:
    """What is otherwise when a question is asked again.

    Attributes:
        same_passages: the same in the same order with the same text, but for those of deleted documents.
        deleted: documents of the record that are deleted by now.
        gone, new, moved: passages by their id: found then and not now, now and not then, at another place.
        same_answer: word for word.
    """

    same_passages: bool
    same_answer: bool
    deleted: tuple[str, ...]
    gone: tuple[str, ...]
    new: tuple[str, ...]
    moved: tuple[str, ...]


def record_of(identifier: str, made: Answer, question: Question, release: Release, key: str) -> AnswerRecord:
    """What is kept of an answer."""
    return AnswerRecord(
        id=identifier,
        at=datetime.now(UTC).isoformat(),
        key=key,
        question=question.text,
        k=question.k,
        filter=dict(question.filter),
        always=dict(question.always),
        release=release.number,
        generation=release.generation,
        embedder=release.embedder,
        search=dict(release.search),
        generator=made.generator,
        prompt=made.prompt,
        answer=made.text,
        grounded=made.grounded,
        citations=[asdict(citation) for citation in made.citations],
        degraded=list(made.degraded),
        passages=passages_of(made.retrieved.hits),
        usage=asdict(made.usage) if made.usage else None,
    )


def passages_of(hits: Sequence[Hit]) -> tuple[Passage, ...]:
    """The passages with the digest of their text."""
    return tuple(
        Passage(hit.chunk.chunk_id, hit.chunk.doc_id, hashlib.sha256(hit.chunk.text.encode()).hexdigest(), hit.score) for hit in hits
    )


def difference(record: AnswerRecord, again: Answer, buried: Mapping[str, int]) -> Difference:
    """What is otherwise now; `buried` is the release that each deleted document was deleted in."""
    deleted = {passage.doc_id for passage in record.passages if buried.get(passage.doc_id, 0) > record.release}
    before = [(passage.chunk_id, passage.digest) for passage in record.passages if passage.doc_id not in deleted]
    now = [(passage.chunk_id, passage.digest) for passage in passages_of(again.retrieved.hits)]
    there, here = [chunk_id for chunk_id, _ in before], [chunk_id for chunk_id, _ in now]
    return Difference(
        # Where some are gone, others follow behind the last.
        same_passages=now[: len(before)] == before and (bool(deleted) or len(now) == len(before)),
        same_answer=again.text == record.answer,
        deleted=tuple(sorted(deleted)),
        gone=tuple(chunk_id for chunk_id in there if chunk_id not in here),
        new=tuple(chunk_id for chunk_id in here if chunk_id not in there),
        moved=tuple(chunk_id for chunk_id in there if chunk_id in here and there.index(chunk_id) != here.index(chunk_id)),
    )


def as_question(record: AnswerRecord, release: int | None) -> Question:
    """The question of a record, on its release or on another one."""
    return Question(record.question, record.k, dict(record.filter), release or record.release, dict(record.always))


def as_json(found: Difference) -> dict[str, Any]:
    """As the HTTP API shows it."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(found).items()}
