"""Proposes golden questions from what people asked and what they thought of the answers; a person decides about each."""

import hashlib
import random
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from typing import Any

from rapidfuzz import fuzz, process

from index.answers import AnswerRecord, Answers
from index.embedder import Embedder
from index.errors import NotFound
from index.feedback import Feedback
from index.golden import GoldenQuestion, Origin, Passage
from index.reader import Views
from index.store import Store
from tasks.retrieve import Query, retrieve

# Of the newest, so many are looked at.
FEEDBACK, QUERIES = 2_000, 20_000
MOST_WAITING = 1_000
FOUND = 5
LONGEST_QUOTE = 1_500
# rapidfuzz's likeness of two questions' words, of 100: above it they ask the same.
SAME = 92.0
_WORDS = re.compile(r"\w+")

Search = Callable[[str], Sequence[Passage]]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question that may become a proposal, why, and the passages that may answer it."""

    question: str
    origin: Origin
    why: str
    passages: tuple[Passage, ...] = ()


class Questions:
    """What is asked already: two questions are the same when their words nearly are, and their numbers are."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._known = dict.fromkeys(normal(text) for text in texts)

    def is_new(self, text: str) -> bool:
        """Whether nothing like it is asked yet; remembers it."""
        asked = normal(text)
        new = bool(asked) and asked not in self._known and not self._is_near(asked)
        self._known[asked] = None
        return new

    def _is_near(self, asked: str) -> bool:
        near = process.extract(asked, self._known.keys(), scorer=fuzz.token_sort_ratio, score_cutoff=SAME, limit=10)
        return any(_numbers(text) == _numbers(asked) for text, *_ in near)


def propose(store: Store, name: str, search: Search, limit: int, by: str, now: datetime) -> int:
    """Adds at most `limit` proposals to a golden set; returns how many. `search` gives passages to choose from.

    Answers that were not useful come first, then useful ones, then questions of the query log. What is in the set, whether
    accepted, proposed or rejected, is not proposed again.
    """
    room = min(limit, MOST_WAITING - len(store.golden.review(name)))
    feedback = store.feedback.newest(FEEDBACK)
    asked = store.queries.tail(QUERIES).drop_columns(["vector"]).to_pylist()
    known = Questions(store.golden.texts(name))
    chosen = list[Candidate]()
    for candidate in chain(from_feedback(feedback, store.answers), from_queries(asked, random.Random(len(asked)))):  # noqa: S311
        if len(chosen) >= room:
            break
        if known.is_new(candidate.question):
            chosen.append(candidate)
    # A microsecond apart, so that they are reviewed in this order.
    times = (now + timedelta(microseconds=number) for number in range(len(chosen)))
    return store.golden.propose(name, [_proposal(each, search, by, at) for each, at in zip(chosen, times, strict=False)])


def from_feedback(feedback: Sequence[Feedback], answers: Answers) -> Iterator[Candidate]:
    """The questions of judged answers whose record is kept: those that were not useful first, in the order given."""
    for said in sorted(feedback, key=lambda each: each.useful):
        record = _record(answers, said.answer_id)
        if record is not None:
            cited = tuple(Passage(each["doc_id"], each["quote"]) for each in record.citations) if said.useful else ()
            yield Candidate(record.question, "feedback", _why(said, record), tuple(dict.fromkeys(cited)))


def from_queries(rows: Sequence[Row], chance: random.Random) -> Iterator[Candidate]:
    """Questions of the query log, by turns: those for which nothing was found, the least certain, the most frequent, and some at random.

    What was asked with a filter is left out: golden questions are asked without.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if not row["filtered"]:
            groups.setdefault(normal(row["text"]), []).append(row)
    embedder = rows[-1]["embedder"] if rows else None
    some = list(groups.values())
    chance.shuffle(some)
    kinds = (_without_answer(groups), _uncertain(groups, embedder), _frequent(groups), ((group, "drawn at random") for group in some))
    for group, why in (each for turn in zip_longest(*kinds) for each in turn if each):
        yield Candidate(group[-1]["text"], "query_log", f"from the query log: {why}")


def found_by(reader: Views, embedder: Embedder) -> Search:
    """Searches the live release as the API does."""

    def search(text: str) -> list[Passage]:
        hits = retrieve(reader, embedder, Query(text, k=FOUND)).hits
        return [Passage(hit.chunk.doc_id, _quote(hit.chunk.text)) for hit in hits]

    return search


def normal(text: str) -> str:
    """The words of a question, without case, accents of typography and punctuation."""
    return " ".join(_WORDS.findall(unicodedata.normalize("NFKC", text).casefold()))


def _proposal(candidate: Candidate, search: Search, by: str, at: datetime) -> GoldenQuestion:
    identifier = "p-" + hashlib.sha256(normal(candidate.question).encode()).hexdigest()[:16]
    return GoldenQuestion(
        identifier,
        candidate.question,
        candidate.passages,
        None,
        origin=candidate.origin,
        state="proposed",
        note=candidate.why,
        added_at=at,
        by=by,
        found=tuple(search(candidate.question)),
    )


def _record(answers: Answers, identifier: str) -> AnswerRecord | None:
    try:
        return answers.get(identifier)
    except NotFound:
        return None


def _why(said: Feedback, record: AnswerRecord) -> str:
    thought = "useful" if said.useful else "not useful"
    comment = f", with the comment “{said.comment}”" if said.comment else ""
    return f"an answer on release {record.release} was found {thought}{comment}"


def _without_answer(groups: Mapping[str, list[Row]]) -> Iterator[tuple[list[Row], str]]:
    for group in groups.values():
        if any(row["hits"] == 0 for row in group):
            yield group, "nothing was found"
        elif any(row["grounded"] is False for row in group):
            yield group, "it was answered that the documents do not say"


def _uncertain(groups: Mapping[str, list[Row]], embedder: str | None) -> Iterator[tuple[list[Row], str]]:
    """Similarities of one model only: those of two can't be compared."""
    measured: list[tuple[float, list[Row]]] = []
    for group in groups.values():
        best = [row["best"] for row in group if row["best"] is not None and row["embedder"] == embedder]
        measured += [(max(best), group)] if best else []
    for similarity, group in sorted(measured, key=lambda each: each[0]):
        yield group, f"the best hit has a similarity of {similarity:.2f}"


def _frequent(groups: Mapping[str, list[Row]]) -> Iterator[tuple[list[Row], str]]:
    for group in sorted(groups.values(), key=len, reverse=True):
        if len(group) > 1:
            yield group, f"asked {len(group)} times"


def _numbers(text: str) -> set[str]:
    return {word for word in text.split() if any(character.isdigit() for character in word)}


def _quote(text: str) -> str:
    """The passage, or as many whole words of a long one as a quote should have."""
    return text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE].rpartition(" ")[0] or text[:LONGEST_QUOTE]
