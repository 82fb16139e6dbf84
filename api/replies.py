"""What clients get, as `/schema` shows it."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

import msgspec

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T]):
    """One page of a list; `next` is the cursor of the following page."""

    items: list[T]
    next: str | None = None


class NeighbourReply(msgspec.Struct):
    """A passage beside a hit, in the same document."""

    chunk_id: str
    text: str
    heading: list[str]
    span: tuple[int, int]
    page: int | None = None


class PartsReply(msgspec.Struct):
    """What a score is made of; null where a search did not find the passage among its candidates.

    `vector_part` and `text_part`: the scores from 0 (the last candidate) to 1 (the first). `fused`: their sum with the weights, or the
    score of the only search. `rerank` takes its place. `look`: the first look for candidates found it, or one that went deeper.
    """

    similarity: float | None
    vector_rank: int | None
    vector_part: float | None
    bm25: float | None
    text_rank: int | None
    text_part: float | None
    look: int
    fused: float
    rerank: float | None


class ExplainReply(msgspec.Struct):
    """How a search was done: `candidates` of each kind were looked for. `uses_index` false: each vector was compared."""

    mode: str
    rows: int
    candidates: int
    looks: int
    uses_index: bool
    nprobes: int | None
    refine_factor: int | None
    weights: dict[str, float]
    filter: str
    reranked: int


class HitReply(msgspec.Struct):
    """A passage. `span` is its place in the document's text, in characters. `before`, `after` and `explain` are null unless asked for."""

    chunk_id: str
    doc_id: str
    score: float
    text: str
    title: str | None
    uri: str | None
    heading: list[str]
    span: tuple[int, int]
    metadata: dict[str, Any]
    page: int | None = None
    before: list[NeighbourReply] | None = None
    after: list[NeighbourReply] | None = None
    explain: PartsReply | None = None


class SearchReply(msgspec.Struct):
    """The passages, best first, and the release that they come from. `next` is the cursor of the following page, null after the last."""

    release: int
    as_of: datetime
    degraded: list[str]
    hits: list[HitReply]
    timings_ms: dict[str, float]
    next: str | None = None
    explain: ExplainReply | None = None


class CitationReply(msgspec.Struct):
    """`quote` stands word for word at `span` of the document's text."""

    n: int
    doc_id: str
    chunk_id: str
    quote: str
    span: tuple[int, int]


class AnswerReply(msgspec.Struct):
    """An answer whose citations have been checked; `grounded` false says the sources do not hold it."""

    id: str
    answer: str
    citations: list[CitationReply]
    grounded: bool
    release: int
    generator: str
    degraded: list[str]
    usage: dict[str, int] | None = None


class SourceReply(msgspec.Struct):
    """Passages that follow each other in a document, as a generator gets them; `span` is their place in its text, in characters."""

    n: int
    doc_id: str
    chunk_ids: list[str]
    title: str
    uri: str | None
    span: tuple[int, int]
    text: str


class TokenReply(msgspec.Struct):
    """The next sentence of a streamed answer. Its citation was checked; None where the sentence says that nothing bears it out."""

    text: str
    citation: CitationReply | None


class PassageReply(msgspec.Struct):
    """A passage that the generator saw; `digest` is the SHA-256 of its text."""

    chunk_id: str
    doc_id: str
    digest: str
    score: float


class ThanksReply(msgspec.Struct):
    """Feedback was kept."""

    answer_id: str
    at: datetime


class FeedbackReply(msgspec.Struct):
    """What somebody thinks of an answer. `key` is the id of the key that said it, `release` that of the answer."""

    answer_id: str
    at: datetime
    useful: bool
    comment: str | None
    key: str
    release: int


class AnswerRecordReply(msgspec.Struct):
    """What an answer was made from. `prompt` is what a language model was sent; `always` the filter of the key that asked."""

    id: str
    at: datetime
    key: str
    question: str
    k: int
    filter: dict[str, Any]
    always: dict[str, Any]
    release: int
    generation: str
    embedder: str
    search: dict[str, Any]
    generator: str
    prompt: str | None
    answer: str
    grounded: bool
    citations: list[dict[str, Any]]
    degraded: list[str]
    passages: list[PassageReply]
    feedback: list[FeedbackReply]
    usage: dict[str, int] | None = None


class AnswerReplayReply(msgspec.Struct):
    """The same question again. Passages of `deleted` documents are left out of the comparison; others are named by their id."""

    id: str
    release: int
    was_release: int
    same_passages: bool
    same_answer: bool
    answer: str
    was_answer: str
    generator: str
    was_generator: str
    deleted: list[str]
    gone: list[str]
    new: list[str]
    moved: list[str]


class AcceptedReply(msgspec.Struct):
    """The write is durable."""

    doc_id: str
    accepted_at: datetime


class Rejection(msgspec.Struct):
    """A line (from 1) of a bulk request that was not taken, and why."""

    line: int
    reason: str


class BulkReply(msgspec.Struct):
    """How many documents of a bulk request are durable now."""

    accepted: int
    rejected: list[Rejection]


class DocumentReply(msgspec.Struct):
    """What became of the newest revision of a document; `purged` is what removing its bytes came to, once that is done."""

    doc_id: str
    revision: int
    state: str
    accepted_at: datetime
    searchable_at: datetime | None
    served: bool
    release: int | None
    chunks: int
    duplicate_of: str | None
    reason: str | None
    title: str | None = None
    uri: str | None = None
    purged: dict[str, Any] | None = None


class DebtReply(msgspec.Struct):
    """What a rollback with `requeue` took out of the index: `documents` of `of` are not in it again yet."""

    documents: int
    of: int


class ReleaseReply(msgspec.Struct):
    """One servable state of the index; `recipe` is what its rows were made with. `debt` is told of the live one."""

    release: int
    generation: str
    version: int
    rows: int
    created_at: datetime
    status: str
    live: bool
    pinned: bool
    checks: dict[str, Any]
    scores: list[dict[str, Any]]
    search: dict[str, Any]
    recipe: dict[str, Any]
    debt: DebtReply | None = None


class ShadowReply(msgspec.Struct):
    """Real searches that were asked of a candidate too: means of the share of documents in common, of the same first hit, of times."""

    release: int
    searches: int
    overlap: float | None
    same_first: float | None
    live_ms: float | None
    candidate_ms: float | None


class LiveReply(msgspec.Struct):
    """What is served now, and what was before. `held` documents have a newer revision that is not served."""

    live: int
    was: int
    held: int
    pinned: bool


class StartedReply(msgspec.Struct):
    """A run was started; `url` shows it in the Prefect UI."""

    id: str
    url: str


class EvaluationReply(msgspec.Struct):
    """An evaluation: its state and, when completed, its scores with 95 % intervals.

    While it is running, `done` of `of` questions are through its `step`. One is skipped that would have measured what was measured before.
    """

    id: str
    state: Literal["queued", "running", "completed", "failed", "skipped"]
    release: int | None
    dataset: str | None
    scores: list[dict[str, Any]]
    questions: list[dict[str, Any]]
    reason: str | None
    url: str
    step: str | None = None
    done: int | None = None
    of: int | None = None


JudgeState = Literal["none", "unexamined", "unqualified", "qualified"]


class JudgeReply(msgspec.Struct):
    """The LLM that scores answers. Decisions may rest on its scores while `counts`; `reasons` say why not.

    `changed` says how it behaved otherwise in its last exam (`examined_at`) than in the one before; `exam` has the numbers.
    """

    model: str | None
    endpoint: str | None
    state: JudgeState
    counts: bool
    reasons: list[str]
    prompts: str | None = None
    examined_at: datetime | None = None
    changed: str | None = None
    exam: dict[str, Any] | None = None


class FoldedReply(msgspec.Struct):
    """A canonical document, and how many others say the same."""

    doc_id: str
    aliases: int


class DuplicatesReply(msgspec.Struct):
    """What was folded: `passages_not_repeated` of `documents` are not shown twice; `embeddings_saved` strings had a vector already."""

    documents: int
    canonical_documents: int
    passages_not_repeated: int
    passages: int
    embedded_strings: int
    embeddings_saved: int
    largest: list[FoldedReply]


class LevelReply(msgspec.Struct):
    """Seconds from acceptance until `count` writes of one source were searchable, or gone."""

    source: str
    kind: Literal["searchable", "unsearchable"]
    count: int
    p50: float
    p95: float
    p99: float


class FreshnessReply(msgspec.Struct):
    """The freshness level of the last ten minutes. The goal holds for `express`: single documents, deletions and watched files.

    `trouble`: why nothing gets into the index at the moment, although the ingester tries.
    """

    state: Literal["ok", "late", "stuck"]
    detail: str
    goal_s: float
    waiting: dict[str, int]
    oldest_waiting_s: float | None
    levels: list[LevelReply]
    express: list[LevelReply]
    trouble: str | None = None


class ActionReply(msgspec.Struct):
    """Something to do, and what it brings."""

    do: str
    effect: str


class CapacityReply(msgspec.Struct):
    """When p95 of one search by vector passes the goal: at `low` to `high` rows, between `earliest` and `latest`.

    `reason` says why something is null. From `memory_full_at_rows` on searches read vectors from the disk; at `disk_full_at_rows`
    the tables fill it.
    """

    rows: int
    p95_ms: float | None
    goal_ms: float
    breaks_at_rows: int | None = None
    breaks_on: str | None = None
    low: int | None = None
    high: int | None = None
    earliest: str | None = None
    latest: str | None = None
    rows_per_day: float | None = None
    memory_full_at_rows: int | None = None
    disk_full_at_rows: int | None = None
    reason: str | None = None
    actions: list[ActionReply] = []
    measured_at: datetime | None = None


class PlanReply(msgspec.Struct):
    """What a sweep would add, change and remove, and what that costs."""

    source: str
    added: int
    changed: int
    removed: int
    unchanged: int
    chunks: int
    embed: int
    seconds: float | None
    disk_bytes: int
    needs_confirmation: bool
    examples: dict[str, list[str]]


class RebuildReply(msgspec.Struct):
    """A rebuild. While it runs, `done` `of` its documents are in the new generation; `outcome` says what it came to.

    `release` is what it made, held or live, and `gate` what the gate found.
    """

    id: int
    state: Literal["running", "done", "held", "cancelled", "failed"]
    recipe: dict[str, Any]
    by: str
    reason: str | None
    asked_at: datetime
    ended_at: datetime | None
    phase: str | None
    done: int | None
    of: int | None
    embedded: int | None
    outcome: str | None
    release: int | None
    gate: dict[str, Any] | None


class RebuildPlanReply(msgspec.Struct):
    """What a rebuild would make of `chunks_now` passages, and take; reckoned from `measured` documents."""

    documents: int
    chunks_now: int
    chunks: int
    embed: int
    seconds: float
    disk_bytes: int
    memory_bytes: int
    measured: int
    tokens: int
    cost: float | None


class AuditReply(msgspec.Struct):
    """Who did what, when and why; `live` is what was served after it, `was` before."""

    seq: int
    at: datetime
    by: str
    what: str
    reason: str | None
    release: int | None
    live: int
    was: int
    pinned: bool
    detail: dict[str, Any]


class KeyReply(msgspec.Struct):
    """A key without its secret."""

    id: str
    role: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    filter: dict[str, Any]
    per_minute: int | None = None
    rotated_at: datetime | None = None
    old_until: datetime | None = None


class NewKeyReply(KeyReply):
    """A new or rotated key; the secret is shown this once. Until `old_until` the one before is good too."""

    key: str = ""


class ReplayReply(msgspec.Struct):
    """How many quarantined documents go through the pipeline again."""

    replayed: int


class MonitorReply(msgspec.Struct):
    """One monitor: `effect` is the change beside what was expected (of a fall, as a share of the value before), with its 95 % interval.

    `detectable` is the smallest fall that would be seen. Of an alarm: `cause`, the `release` where it began, `runbook` (what to do).
    """

    name: str
    state: Literal["ok", "alarm", "unmeasured"]
    detail: str
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    detectable: float | None = None
    since: datetime | None = None
    cause: str | None = None
    release: int | None = None
    runbook: str | None = None
    examples: list[str] = []


class BestDayReply(msgspec.Struct):
    """The best day that is known: the mean value of so many questions then, and of the same ones now."""

    at: datetime
    release: int
    value: float
    now: float
    questions: int


class DriftReply(msgspec.Struct):
    """Whether retrieval is worse than it was: by how much, since when, and why. `reason` says why nothing is known."""

    worse: bool
    by: float | None = None
    since: datetime | None = None
    cause: str | None = None
    monitors: list[MonitorReply] = []
    best: BestDayReply | None = None
    release: int | None = None
    checked_at: datetime | None = None
    reason: str | None = None
