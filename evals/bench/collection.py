"""Collections to measure retrieval on: documents, questions, and what is relevant to them."""

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evals import dataset
from index.documents import Draft
from index.errors import Misconfigured
from index.golden import GoldenQuestion, Passage
from tasks.discover import SampleSource

CORPUS, QUERIES, QRELS = "corpus.jsonl", "queries.jsonl", "qrels.tsv"
PIECE_WORDS = 60


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the documents that are relevant to it, with their grades; `golden` says which passages of them.

    `reference` is how people answer it.
    """

    id: str
    text: str
    grades: Mapping[str, int]
    golden: GoldenQuestion | None = None
    reference: str | None = None

    def asked(self) -> GoldenQuestion:
        """As it is asked for an answer: with the passages, or the whole documents, that hold it."""
        whole = tuple(Passage(doc_id, "") for doc_id in self.grades)
        return GoldenQuestion(self.id, self.text, self.golden.passages if self.golden else whole, self.reference)


@dataclass(frozen=True, slots=True)
class Collection:
    """`judged` says whether whole documents are relevant to a question, or passages in them.

    `unanswerable` are questions that nothing in the documents answers.
    """

    name: str
    documents: tuple[Draft, ...]
    questions: tuple[Question, ...]
    judged: Literal["documents", "passages"]
    unanswerable: tuple[Question, ...] = ()


def beir(folder: Path) -> Collection:
    """A folder in BEIR layout; questions with a judgement are taken, and those whose `metadata.answerable` is false.

    Passages are judged when each question quotes them, as `metadata.references[].content` of the document
    `metadata.corpus_id`. Raises `Misconfigured` when a file is missing or is not what it should be.
    """
    try:
        documents = tuple(Draft(row["_id"], content=row["text"].encode(), title=row.get("title") or None) for row in _rows(folder / CORPUS))
        grades = _grades(folder / QRELS)
        rows = list(_rows(folder / QUERIES))
        questions = tuple(_question(row, grades[row["_id"]]) for row in rows if row["_id"] in grades)
        unanswerable = tuple(
            Question(row["_id"], row["text"], {}) for row in rows if (row.get("metadata") or {}).get("answerable") is False
        )
    except (OSError, ValueError, KeyError) as error:
        raise Misconfigured(f"{folder} is no collection in BEIR layout ({type(error).__name__}: {error})") from error
    if not documents or not questions:
        raise Misconfigured(f"{folder}: no documents, or no question with a judgement")
    judged: Literal["documents", "passages"] = "passages" if all(question.golden for question in questions) else "documents"
    return Collection(folder.name, documents, questions, judged, unanswerable)


def sample() -> Collection:
    """The sample with its golden questions."""
    questions = [
        Question(golden.id, golden.question, {passage.doc_id: 1 for passage in golden.passages}, golden, golden.reference)
        for golden in dataset.load()
    ]
    answerable = tuple(question for question in questions if question.grades)
    unanswerable = tuple(question for question in questions if not question.grades)
    return Collection("sample", tuple(SampleSource().drafts()), answerable, "passages", unanswerable)


def _question(row: Mapping[str, Any], grades: Mapping[str, int]) -> Question:
    facts = row.get("metadata") or {}
    passages = tuple(Passage(facts["corpus_id"], reference["content"]) for reference in facts.get("references", ()))
    golden = GoldenQuestion(row["_id"], row["text"], passages, row.get("answer")) if passages else None
    return Question(row["_id"], row["text"], grades, golden, row.get("answer"))


def _is_unanswerable(row: Mapping[str, Any]) -> bool:
    return (row.get("metadata") or {}).get("answerable") is False


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    packed = path.with_name(path.name + ".gz")
    with gzip.open(packed, "rt", encoding="utf-8") if packed.exists() else path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def _grades(path: Path) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    _, *lines = path.read_text(encoding="utf-8").splitlines()
    for line in lines:
        question, document, grade = line.split("\t")
        if int(grade) > 0:
            found.setdefault(question, {})[document] = int(grade)
    return found


def real_documents(folder: Path | None, count: int) -> list[Draft]:
    """So many documents of real text: those of a BEIR folder, or pieces of about 60 words from all over the sample.

    Raises `Misconfigured` when there are not as many.
    """
    found = list(beir(folder).documents) if folder else _pieces()
    if len(found) < count:
        raise Misconfigured(f"{folder or 'the sample'} has text for {len(found)} documents; ask for at most as many")
    return [found[number * len(found) // count] for number in range(count)]


def _pieces() -> list[Draft]:
    texts = ((draft.doc_id.replace("/", "-"), draft.content.decode().split()) for draft in SampleSource().drafts())
    return [
        Draft(f"piece-{name}-{start}", content=" ".join(words[start : start + PIECE_WORDS]).encode())
        for name, words in texts
        for start in range(0, len(words) - PIECE_WORDS, PIECE_WORDS)
    ]
