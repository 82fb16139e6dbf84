"""What `/v1/golden` takes and answers, as `/schema` shows it."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from api.requests import Request
from index.golden import MAX_PASSAGES, GoldenQuestion, PassageLine, passages_as_rows
from tasks.golden import Named

MOST_PROPOSALS = 200


class GoldenSetReply(msgspec.Struct):
    """A golden set: accepted questions, by part and without an answer; proposals that wait, and rejected ones.

    `packaged`: it came with Groundwork, and nobody has put one of its name.
    """

    name: str
    packaged: bool
    questions: int
    development: int
    held_out: int
    unanswerable: int
    proposed: int
    rejected: int
    changed_at: datetime | None


class GoldenPutReply(msgspec.Struct):
    """What became of the questions that were put: so many were new, took the place of one with their id, or went."""

    name: str
    added: int
    replaced: int
    removed: int


class StaleReply(msgspec.Struct):
    """A question whose passages do not all stand in the release, and why; it is left out of scores."""

    id: str
    question: str
    part: str
    reasons: list[str]


class GoldenCheckReply(msgspec.Struct):
    """Which questions of a golden set can be measured on a release: `fresh` of those that have an answer, not the `stale` ones."""

    name: str
    release: int
    questions: int
    unanswerable: int
    fresh: int
    stale: list[StaleReply]


class ProposalReply(msgspec.Struct):
    """A question that waits for a person: why it was proposed, the passages that are suggested, and what a search finds for it."""

    id: str
    question: str
    origin: str
    part: str
    note: str
    proposed_at: datetime | None
    passages: list[dict[str, str]]
    found: list[dict[str, str]]


class ProposedReply(msgspec.Struct):
    """How many proposals were made, and how many wait now."""

    proposed: int
    waiting: int


class DecisionReply(msgspec.Struct):
    """What became of a proposal."""

    id: str
    state: Literal["accepted", "proposed", "rejected"]


class ProposeRequest(Request, kw_only=True):
    """How many proposals to make at most."""

    limit: Annotated[int, Meta(ge=1, le=MOST_PROPOSALS)] = 20


class DecisionRequest(Request, kw_only=True):
    """What becomes of a proposal. Whoever accepts says which passages answer, or leaves out `passages` to take the suggested ones.

    `accept_unanswerable`: the documents hold no answer. `question` puts another wording in place of the proposed one.
    """

    decision: Literal["accept", "accept_unanswerable", "reject"]
    passages: Annotated[list[PassageLine], Meta(max_length=MAX_PASSAGES)] | None = None
    question: Annotated[str, Meta(min_length=1, max_length=8_000)] | None = None
    reference: Annotated[str, Meta(max_length=20_000)] | None = None
    note: Annotated[str, Meta(max_length=2_000)] | None = None


def set_reply(named: Named) -> GoldenSetReply:
    """A golden set as the wire shows it."""
    found = named.golden
    return GoldenSetReply(
        name=found.name,
        packaged=named.packaged,
        questions=found.questions,
        development=found.development,
        held_out=found.held_out,
        unanswerable=found.unanswerable,
        proposed=found.proposed,
        rejected=found.rejected,
        changed_at=found.changed_at,
    )


def proposal_reply(proposal: GoldenQuestion) -> ProposalReply:
    """A proposal as the wire shows it."""
    return ProposalReply(
        id=proposal.id,
        question=proposal.question,
        origin=proposal.origin,
        part=str(proposal.part),
        note=proposal.note,
        proposed_at=proposal.added_at,
        passages=passages_as_rows(proposal.passages),
        found=passages_as_rows(proposal.found),
    )
