"""Golden sets: named golden questions in one table, with proposals that wait for a person."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from lancedb.db import DBConnection
from lancedb.expr import col, lit
from lancedb.table import LanceTable

from index import schema, tables
from index.errors import BadRequest, Conflict, NotFound
from index.golden import GoldenQuestion, Part, Passage, State, check_name

TABLE = "golden"
MAX_QUESTIONS = 100_000
# Readers may be in the middle of a version that was just replaced.
GRACE = timedelta(minutes=2)
# Of a question: its part, its state, when it was added, and whether it has an answer.
Fact = tuple[Part | None, State, datetime | None, bool]


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """What one set holds: so many accepted questions, by part, proposals and rejected ones; when anything of it was last added."""

    name: str
    questions: int
    development: int
    held_out: int
    unanswerable: int
    proposed: int
    rejected: int
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Put:
    """What a write did: so many questions were new, took the place of one with their id, or went."""

    added: int
    replaced: int
    removed: int


class GoldenSets:
    """The table of golden questions. Each write is one commit: all of it is there or nothing."""

    def __init__(self, db: DBConnection) -> None:
        self._db = db
        tables.open_or_create(db, TABLE, schema.GOLDEN, "key")

    def sets(self) -> list[GoldenSet]:
        """Each set, in order of their names. Reads no texts."""
        columns = ["name", "part", "state", "added_at", "passages"]
        rows = self._open().search().select(columns).limit(tables.ALL).to_arrow()
        answers = pc.list_value_length(rows["passages"])
        facts = zip(*(column.to_pylist() for column in (*(rows[name] for name in columns[:-1]), answers)), strict=True)
        found: dict[str, list[Fact]] = {}
        for name, part, state, added_at, count in facts:
            found.setdefault(name, []).append((part, state, added_at, count > 0))
        return [_summary(name, found[name]) for name in sorted(found)]

    def questions(self, name: str, part: Part | None = None) -> tuple[GoldenQuestion, ...]:
        """The accepted questions of a set in order of their ids; none where there is no such set."""
        found = self._of(name, "accepted")
        return tuple(sorted((each for each in found if part in (None, each.part)), key=lambda each: each.id))

    def review(self, name: str) -> tuple[GoldenQuestion, ...]:
        """The proposals that wait for a person, those to be looked at first in front."""
        return tuple(sorted(self._of(name, "proposed"), key=lambda each: (str(each.added_at), each.id)))

    def texts(self, name: str) -> list[str]:
        """What is asked in a set, accepted, proposed or rejected."""
        return [question.question for question in self._of(name)]

    def get(self, name: str, identifier: str) -> GoldenQuestion:
        """One question in whatever state; raises `NotFound`."""
        if found := [question for _, question in self._rows(col("key") == lit(_key(name, identifier)))]:
            return found[0]
        raise NotFound(f"the golden set {name!r} has no question {identifier[:200]!r}")

    def put(self, name: str, questions: Sequence[GoldenQuestion], *, alone: bool = False) -> Put:
        """Writes questions by their ids; `alone` removes the accepted ones that are not among them, proposals stay.

        Raises `BadRequest` for a bad name, no questions, two with one id, or more than a set can hold.
        """
        check_name(name)
        if not questions:
            raise BadRequest("there is no question to put into the set")
        if twice := [identifier for identifier, count in Counter(question.id for question in questions).items() if count > 1]:
            raise BadRequest(f"two questions have the id {twice[0]!r}")
        if len(questions) + (0 if alone else len(self._of(name))) > MAX_QUESTIONS:
            raise BadRequest(f"a golden set holds at most {MAX_QUESTIONS} questions")
        merge = self._open().merge_insert("key").when_matched_update_all().when_not_matched_insert_all()
        if alone:  # the name holds nothing but letters, digits, - and _
            merge = merge.when_not_matched_by_source_delete(f"name = '{name}' AND state = 'accepted'")
        done = merge.execute(_arrow(name, questions))
        return Put(int(done.num_inserted_rows), int(done.num_updated_rows), int(done.num_deleted_rows))

    def propose(self, name: str, questions: Sequence[GoldenQuestion]) -> int:
        """Adds proposals; one whose id the set knows, in whatever state, stays as it is. Returns how many are new."""
        check_name(name)
        if not questions:
            return 0
        proposed = [replace(question, state="proposed") for question in questions]
        return int(self._open().merge_insert("key").when_not_matched_insert_all().execute(_arrow(name, proposed)).num_inserted_rows)

    def decide(self, name: str, decided: GoldenQuestion) -> None:
        """Accepts or rejects a proposal; of a rejected one only the question stays, so that it is not proposed again.

        Raises `NotFound` when there is none of this id, `Conflict` when somebody has decided it before.
        """
        before = self.get(name, decided.id)
        kept = replace(decided, found=())
        if decided.state == "rejected":
            kept = replace(kept, passages=(), reference=None)
        merge = self._open().merge_insert("key").when_matched_update_all(where="target.state = 'proposed'")
        if not merge.execute(_arrow(name, [kept])).num_updated_rows:
            raise Conflict(f"question {decided.id!r} of {name!r} is {self._state_of(name, before)}: only a proposal can be decided")

    def drop(self, name: str) -> int:
        """Removes a set with its proposals, bytes and all; returns how many questions it had. Raises `NotFound`."""
        count = len(self._of(name))
        if not count:
            raise NotFound(f"there is no golden set {name!r} in the index")
        self._open().delete(col("name") == lit(name))
        self._erase()
        return count

    def forget(self, doc_id: str, strings: Sequence[bytes] = ()) -> int:
        """Takes out what questions and proposals quote of a document, and references and notes that may say the same; returns how many.

        Those are told by the document, or by one of the `strings`. An accepted question that loses a passage becomes a proposal
        again: nobody knows whether it has an answer still.
        """
        known = [(name, question, _without(question, doc_id, strings)) for name, question in self._rows(None)]
        changed = [(name, told) for name, question, told in known if told != question]
        for name in dict.fromkeys(name for name, _ in changed):
            rows = _arrow(name, [question for of, question in changed if of == name])
            self._open().merge_insert("key").when_matched_update_all().execute(rows)
        if changed:
            self._erase()
        return len(changed)

    def fold(self) -> None:
        """Merges small pieces, and gives up what only old versions need."""
        table = self._open()
        tables.erase_deleted(table)
        tables.clean(table, GRACE)

    def _erase(self) -> None:
        """No file has a byte of what was removed or replaced any more."""
        table = self._open()
        tables.erase_deleted(table)
        tables.clean(table, timedelta(0))

    def _open(self) -> LanceTable:
        """A handle of its own: a shared one would be moved by one thread while another reads."""
        return tables.open_existing(self._db, TABLE)

    def _state_of(self, name: str, before: GoldenQuestion) -> State:
        try:
            return self.get(name, before.id).state
        except NotFound:
            return before.state

    def _of(self, name: str, state: State | None = None) -> list[GoldenQuestion]:
        condition = col("name") == lit(name)
        return [question for _, question in self._rows(condition & (col("state") == lit(state)) if state else condition)]

    def _rows(self, condition: Any) -> list[tuple[str, GoldenQuestion]]:
        query = self._open().search().limit(tables.ALL)
        rows = (query.where(condition) if condition is not None else query).to_arrow().to_pylist()
        return [(row["name"], _question(row)) for row in rows]


def summary(name: str, questions: Sequence[GoldenQuestion]) -> GoldenSet:
    """What a set with these questions holds."""
    return _summary(name, [(each.part, each.state, each.added_at, each.answerable) for each in questions])


def _summary(name: str, facts: Sequence[Fact]) -> GoldenSet:
    accepted = [(part, answerable) for part, state, _, answerable in facts if state == "accepted"]
    states = Counter(state for _, state, _, _ in facts)
    return GoldenSet(
        name=name,
        questions=len(accepted),
        development=sum(part == "development" for part, _ in accepted),
        held_out=sum(part == "held_out" for part, _ in accepted),
        unanswerable=sum(not answerable for _, answerable in accepted),
        proposed=states["proposed"],
        rejected=states["rejected"],
        changed_at=max((at for _, _, at, _ in facts if at), default=None),
    )


def _without(question: GoldenQuestion, doc_id: str, strings: Sequence[bytes]) -> GoldenQuestion:
    """The question without what it has of a document."""
    found = tuple(passage for passage in question.found if passage.doc_id != doc_id)
    passages = tuple(passage for passage in question.passages if passage.doc_id != doc_id)
    reference = None if _has(question.reference, strings) else question.reference
    note = "" if _has(question.note, strings) else question.note
    if passages == question.passages:
        return replace(question, found=found, reference=reference, note=note)
    note = f"{doc_id} was purged, which a passage of it stood in"
    state: State = "proposed" if question.state == "accepted" else question.state
    return replace(question, passages=passages, found=found, reference=None, state=state, note=note)


def _has(text: str | None, strings: Sequence[bytes]) -> bool:
    return any(string in (text or "").encode() for string in strings)


def _key(name: str, identifier: str) -> str:
    """Of a row. No name has a slash, so that no two questions share one."""
    return f"{name}/{identifier}"


def _arrow(name: str, questions: Sequence[GoldenQuestion]) -> pa.Table:
    rows = [asdict(question) | {"key": _key(name, question.id), "name": name} for question in questions]
    return pa.Table.from_pylist(rows, schema=schema.GOLDEN)


def _question(row: dict[str, Any]) -> GoldenQuestion:
    passages, found = (tuple(Passage(**each) for each in row.pop(column)) for column in ("passages", "found"))
    facts = {name: value for name, value in row.items() if name not in ("key", "name")}
    return GoldenQuestion(**facts, passages=passages, found=found)
