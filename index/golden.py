"""Golden questions: what is asked and where its answer stands, as records and as JSON lines."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from index.documents import check_doc_id
from index.errors import BadRequest

Part = Literal["development", "held_out"]
Origin = Literal["written", "imported", "feedback", "query_log"]
State = Literal["accepted", "proposed", "rejected"]
MAX_PASSAGES = 2_000
# What evaluations of canaries are called; nobody judged those, so it is no golden set.
CANARIES = "canaries"
_NAME = re.compile(r"[a-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Passage:
    """Where an answer stands: words of a document, quoted; white space may differ. Without a quote, all of the document."""

    doc_id: str
    quote: str


@dataclass(frozen=True, slots=True)
class GoldenQuestion:
    """A question with the passages that answer it. Without any, the right answer is that there is none.

    Attributes:
        part: thresholds are tuned on one and reported on the other; where it was not given the id decides, for each half of them.
        state: only what is accepted counts in scores.
        note: of a proposal, why it was made.
        by: the id of the key that added or decided it.
        found: of a proposal, the passages that a search found; nobody has judged them.
    """

    id: str
    question: str
    passages: tuple[Passage, ...]
    reference: str | None
    part: Part | None = None
    origin: Origin = "written"
    state: State = "accepted"
    note: str = ""
    added_at: datetime | None = None
    by: str = ""
    found: tuple[Passage, ...] = ()

    def __post_init__(self) -> None:
        """Decides the part."""
        if self.part is None:
            object.__setattr__(self, "part", part_of(self.id))

    @property
    def answerable(self) -> bool:
        """Whether the documents hold an answer."""
        return bool(self.passages)


def part_of(identifier: str) -> Part:
    """The part of a question that came without one: by a hash of its id, so that it never moves."""
    return "held_out" if hashlib.sha256(identifier.encode()).digest()[0] % 2 else "development"


def check_name(name: str) -> str:
    """The name of a golden set itself; raises `BadRequest` when it can't be one."""
    if name == CANARIES:
        raise BadRequest(f"{name!r} is what evaluations of self-made questions are called: take another name for a golden set")
    if not _NAME.fullmatch(name):
        raise BadRequest(f"{name[:80]!r} can't name a golden set: take 1 to 64 lower-case letters, digits, - and _")
    return name


class PassageLine(msgspec.Struct, forbid_unknown_fields=True):
    """A document, and the words of it that answer; without a quote, all of it."""

    doc_id: str
    quote: Annotated[str, Meta(max_length=20_000)] = ""


class QuestionLine(msgspec.Struct, forbid_unknown_fields=True):
    """A golden question as a line of JSON. `answers` is what earlier files call the passages; who added it, and when, is not taken over."""

    id: Annotated[str, Meta(min_length=1, max_length=200)]
    question: Annotated[str, Meta(min_length=1, max_length=8_000)]
    passages: Annotated[list[PassageLine], Meta(max_length=MAX_PASSAGES)] | None = None
    answers: Annotated[list[PassageLine], Meta(max_length=MAX_PASSAGES)] | None = None
    reference: Annotated[str, Meta(max_length=20_000)] | None = None
    part: Part | None = None
    origin: Origin | None = None
    note: Annotated[str, Meta(max_length=2_000)] = ""
    added_at: Any = None
    by: Any = None


def question_of(row: Mapping[str, Any], origin: Origin, by: str = "", at: datetime | None = None) -> GoldenQuestion:
    """The golden question that a decoded line says; `origin` where it says none. Raises `BadRequest` with what is wrong."""
    try:
        line = msgspec.convert(row, QuestionLine)
    except msgspec.ValidationError as error:
        raise BadRequest(f"no golden question: {error}") from error
    if (line.passages is None) == (line.answers is None):
        raise BadRequest("give the passages that answer as `passages`; an empty list says that the documents hold no answer")
    _check_id(line.id)
    if not line.question.strip():
        raise BadRequest("the question is empty")
    passages = tuple(passage_of(each) for each in line.passages or line.answers or ())
    _check_utf8(line.question, line.reference or "", line.note)
    return GoldenQuestion(
        line.id,
        line.question,
        tuple(dict.fromkeys(passages)),
        line.reference,
        line.part,
        line.origin or origin,
        note=line.note,
        added_at=at,
        by=by,
    )


def passage_of(line: PassageLine) -> Passage:
    """The passage that a line says; raises `BadRequest` when no document can have its id, or for a quote of white space alone."""
    check_doc_id(line.doc_id)
    _check_utf8(line.quote)
    if line.quote and not line.quote.strip():
        raise BadRequest(f"the quote from {line.doc_id} is empty; leave it out to mean all of the document")
    return Passage(line.doc_id, line.quote)


def as_row(question: GoldenQuestion) -> dict[str, Any]:
    """The question as its JSON line says it."""
    return {
        "id": question.id,
        "question": question.question,
        "passages": passages_as_rows(question.passages),
        "reference": question.reference,
        "part": question.part,
        "origin": question.origin,
        "note": question.note,
        "added_at": question.added_at.astimezone(UTC).isoformat().replace("+00:00", "Z") if question.added_at else None,
        "by": question.by,
    }


def passages_as_rows(passages: tuple[Passage, ...]) -> list[dict[str, str]]:
    """The passages as JSON."""
    return [{"doc_id": passage.doc_id, "quote": passage.quote} for passage in passages]


def _check_id(identifier: str) -> None:
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in identifier) or not identifier.strip():
        raise BadRequest("the id of a question must hold more than white space, and no control characters or lone surrogates")


def _check_utf8(*texts: str) -> None:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        raise BadRequest("a text holds lone surrogates, which no UTF-8 text has") from error
