"""Evaluations: the scores of a release on a golden set, in total and per question."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from lancedb.db import DBConnection
from lancedb.expr import Expr, col, lit
from lancedb.table import LanceTable

from index import schema, tables

# Where less of what should have been measured was, the rest may well be otherwise: no verdict rests on it.
COVERAGE_FLOOR = 0.8
# Readers may be in the middle of a version that was just replaced.
GRACE = timedelta(minutes=2)
# An evaluation has half a megabyte: merging them each hour would write more than they are.
PIECES = 24
NO_QUESTIONS = "[]"


@dataclass(frozen=True, slots=True)
class Score:
    """One metric over a golden set: mean and 95 % interval of the questions that could be measured.

    A score with a `note` is shown with it, and gates nothing.
    """

    metric: str
    value: float | None
    low: float | None
    high: float | None
    measured: int
    of: int
    note: str | None = None

    @property
    def covered(self) -> bool:
        """Whether enough questions were measured for a verdict to rest on it."""
        return self.value is not None and covered(self.measured, self.of)


def covered(measured: int, of: int) -> bool:
    """Whether so many questions of all that should have been measured are enough for a verdict."""
    return measured >= COVERAGE_FLOOR * of


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One finished (`completed` or `failed`) evaluation. `questions` has one mapping per golden question."""

    id: str
    release: int
    dataset: str
    state: str
    reason: str | None
    started_at: datetime
    ended_at: datetime
    scores: tuple[Score, ...] = ()
    questions: tuple[dict[str, Any], ...] = ()

    def score(self, metric: str) -> Score | None:
        """The score of one metric, if it is there."""
        return next((score for score in self.scores if score.metric == metric), None)


class Evaluations:
    """The table of finished evaluations."""

    def __init__(self, db: DBConnection) -> None:
        self._table: LanceTable = tables.open_or_create(db, "evaluations", schema.EVALUATIONS, "id", ("id",))

    def write(self, *evaluations: Evaluation) -> None:
        """Stores evaluations by their ids, in one commit."""
        rows = pa.Table.from_pylist([_stored(evaluation) for evaluation in evaluations], schema=schema.EVALUATIONS)
        self._table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(rows)

    def get(self, identifier: str) -> Evaluation | None:
        """One evaluation with its questions; None while it is not finished or unknown."""
        found = self._read(col("id") == lit(identifier), with_questions=True)
        return found[0] if found else None

    def all(self) -> list[Evaluation]:
        """Each finished evaluation without its questions, newest first."""
        return sorted(self._read(None, with_questions=False), key=lambda evaluation: (evaluation.ended_at, evaluation.id), reverse=True)

    def drop(self, ids: Collection[str]) -> int:
        """Forgets evaluations; returns how many there were."""
        return self._change(tables.one_of("id", list(ids)), self._table.delete) if ids else 0

    def bare(self, ids: Collection[str]) -> int:
        """Forgets what evaluations say of each question, not their scores; returns how many said something."""
        some = tables.one_of("id", list(ids)) & (col("questions") != lit(NO_QUESTIONS))
        return self._change(some, lambda found: self._table.update(found, {"questions": NO_QUESTIONS})) if ids else 0

    def fold(self) -> bool:
        """Merges small pieces when they are many, and gives up what only old versions need; False when there was nothing to merge."""
        self._table.checkout_latest()
        many = len(self._table.to_lance().get_fragments()) >= PIECES
        if many:
            tables.fold(self._table)
        tables.clean(self._table, GRACE)
        return many

    def forget(self, doc_id: str) -> int:
        """Takes out what evaluations quote of a document, and of it the answers to questions it was found for; returns how many."""
        changed = 0
        for evaluation in self._read(None, with_questions=True):
            told = [_without(question, doc_id) for question in evaluation.questions]
            if any(question is not before for question, before in zip(told, evaluation.questions, strict=True)):
                self.write(replace(evaluation, questions=tuple(told)))
                changed += 1
        if changed:
            tables.erase_deleted(self._table)
            tables.clean(self._table, timedelta(0))
        return changed

    def _change(self, condition: Expr, change: Callable[[Expr], object]) -> int:
        """Changes what the condition holds of, in one commit; none where there is nothing."""
        self._table.checkout_latest()
        found = int(self._table.count_rows(condition.to_sql()))
        if found:
            change(condition)
        return found

    def _read(self, condition: Any, with_questions: bool) -> list[Evaluation]:
        self._table.checkout_latest()
        columns = [name for name in schema.EVALUATIONS.names if with_questions or name != "questions"]
        query = self._table.search().select(columns).limit(tables.ALL)
        rows = (query.where(condition) if condition is not None else query).to_arrow().to_pylist()
        return [_evaluation(row) for row in rows]


def _without(question: dict[str, Any], doc_id: str) -> dict[str, Any]:
    """The row of a question without what a document says; the row itself where nothing of it is there."""
    found = [hit for hit in question.get("found", ()) if hit["doc_id"] != doc_id]
    passages = [passage for passage in question.get("passages", ()) if passage["doc_id"] != doc_id]
    if len(found) == len(question.get("found", ())) and len(passages) == len(question.get("passages", ())):
        return question
    return question | {"found": found, "passages": passages, "answer": None}


def as_json(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """The scores as the HTTP API shows them; `covered` False: too few questions were measured for a verdict."""
    return [_score_row(score) | {"covered": score.covered} for score in scores]


def _stored(evaluation: Evaluation) -> dict[str, Any]:
    row = {name: getattr(evaluation, name) for name in ("id", "release", "dataset", "state", "reason", "started_at", "ended_at")}
    return row | {"scores": json.dumps([_score_row(score) for score in evaluation.scores]), "questions": json.dumps(evaluation.questions)}


def _score_row(score: Score) -> dict[str, Any]:
    row = {name: getattr(score, name) for name in Score.__slots__}
    return row if score.note else {name: value for name, value in row.items() if name != "note"}


def _evaluation(row: dict[str, Any]) -> Evaluation:
    scores = tuple(Score(**score) for score in json.loads(row.pop("scores")))
    questions = tuple(json.loads(row.pop("questions", None) or NO_QUESTIONS))
    return Evaluation(**row, scores=scores, questions=questions)
