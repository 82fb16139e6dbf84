"""Golden questions as files: our own JSON lines, and folders in BEIR layout (Thakur et al., 2021).

A BEIR folder has `queries.jsonl`, judgements in `qrels.tsv` or `qrels/<split>.tsv`, and, where documents come along, `corpus.jsonl`; each
may be packed with gzip. It judges whole documents; quotes and questions without an answer travel in the `metadata` of the queries.
"""

import gzip
import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, cast

from index.errors import BadRequest
from index.golden import GoldenQuestion, Part, Passage, as_row, passages_as_rows, question_of

QUERIES, CORPUS, QRELS = "queries.jsonl", "corpus.jsonl", "qrels"
HEADER = ("query-id", "corpus-id", "score")
PARTS: dict[str, Part] = {"train": "development", "dev": "development", "valid": "development", "test": "held_out"}
SPLITS: dict[Part, str] = {"development": "dev", "held_out": "test"}
MAX_LINE = 4 * 1024 * 1024
MAX_DOCUMENT_LINE = 48 * 1024 * 1024
_BROKEN = (OSError, EOFError, zlib.error)


@dataclass(frozen=True, slots=True)
class Imported:
    """The questions that a file or folder holds; `left_out` says how many it has beyond that, by the reason."""

    questions: tuple[GoldenQuestion, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Judged:
    """What the judgements say of a question."""

    doc_ids: list[str] = field(default_factory=list)
    part: Part | None = None
    place: str = ""


def read(path: Path, prefix: str = "") -> Imported:
    """The questions of a BEIR folder, or of a file with our own lines; `prefix` goes before each document's id.

    Raises `BadRequest` with the file and the line for what can't be read.
    """
    if path.is_dir():
        return _folder(path, prefix)
    if not path.exists():
        raise BadRequest(f"there is no file or folder {path}")
    questions = [_prefixed(_own(row, place), prefix) for row, place in _rows(path, MAX_LINE)]
    return Imported(_unique(questions, path))


def documents(folder: Path, prefix: str = "") -> Iterator[dict[str, Any]]:
    """The documents of a BEIR folder, as the lines of a bulk request."""
    for row, place in _rows(_there(folder / CORPUS), MAX_DOCUMENT_LINE):
        if not (isinstance(row.get("_id"), str) and isinstance(row.get("text"), str)):
            raise BadRequest(f"{place}: a document needs `_id` and `text`, both strings")
        title = row.get("title")
        yield {"doc_id": prefix + row["_id"], "text": row["text"]} | ({"title": title} if isinstance(title, str) and title else {})


def has_documents(folder: Path) -> bool:
    """Whether a corpus came along."""
    return any((folder / name).is_file() for name in (CORPUS, CORPUS + ".gz"))


def write_lines(file: Path, questions: Sequence[GoldenQuestion]) -> None:
    """Our own lines."""
    file.write_text("".join(json.dumps(as_row(question), ensure_ascii=False) + "\n" for question in questions), encoding="utf-8")


def write_folder(folder: Path, questions: Sequence[GoldenQuestion]) -> None:
    """A BEIR folder without documents. Raises `BadRequest` when it has questions already."""
    if (folder / QUERIES).exists() or (folder / QRELS).exists():
        raise BadRequest(f"{folder} has questions already: give an empty folder")
    (folder / QRELS).mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({"_id": each.id, "text": each.question, "metadata": _metadata(each)}, ensure_ascii=False) for each in questions)
    (folder / QUERIES).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    for part, split in SPLITS.items():
        judged = [(each.id, doc_id) for each in questions if each.part == part for doc_id in dict.fromkeys(p.doc_id for p in each.passages)]
        rows = ["\t".join(HEADER), *(f"{identifier}\t{doc_id}\t1" for identifier, doc_id in judged)]
        (folder / QRELS / f"{split}.tsv").write_text("".join(row + "\n" for row in rows), encoding="utf-8")


def _metadata(question: GoldenQuestion) -> dict[str, Any]:
    facts = {"part": question.part, "reference": question.reference, "origin": question.origin, "answerable": question.answerable}
    return facts | {"passages": passages_as_rows(question.passages)}


def _folder(folder: Path, prefix: str) -> Imported:
    judged = _judgements(folder)
    questions, unjudged = list[GoldenQuestion](), 0
    for row, place in _rows(_there(folder / QUERIES), MAX_LINE):
        identifier = row.get("_id")
        known = judged.get(identifier) if isinstance(identifier, str) else None
        given = row.get("metadata")
        facts = given if isinstance(given, dict) else {}
        if known is None and facts.get("answerable") is not False:
            unjudged += 1
        else:
            questions.append(_prefixed(_judged_question(row, facts, known or _Judged(), place), prefix))
    left_out = {"without a judgement": unjudged, "judged but not among the queries": len(judged.keys() - {each.id for each in questions})}
    if not questions:
        raise BadRequest(f"{folder} has no question with a judgement above 0; left out: {left_out}")
    return Imported(_unique(questions, folder), {why: count for why, count in left_out.items() if count})


def _judged_question(row: Mapping[str, Any], facts: Mapping[str, Any], judged: _Judged, place: str) -> GoldenQuestion:
    """A query with its judgements: whole documents, but for those that its metadata quotes."""
    quoted = _quoted(facts)
    passages = [each for doc_id in dict.fromkeys(judged.doc_ids) for each in quoted.get(doc_id, [{"doc_id": doc_id, "quote": ""}])]
    line = {"id": row["_id"], "question": row.get("text"), "passages": passages, "origin": facts.get("origin")}
    line |= {"reference": facts.get("reference") or row.get("answer"), "part": judged.part or facts.get("part")}
    return _own(line, place)


def _quoted(facts: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What the metadata of a query quotes, by document: our own, or as collections of judged passages have it."""
    passages = facts.get("passages") or [
        {"doc_id": facts.get("corpus_id"), "quote": each.get("content")} for each in facts.get("references") or () if isinstance(each, dict)
    ]
    found: dict[str, list[Any]] = {}
    for passage in passages if isinstance(passages, list) else ():
        if isinstance(passage, dict) and isinstance(passage.get("doc_id"), str):
            found.setdefault(passage["doc_id"], []).append(passage)
    return found


def _judgements(folder: Path) -> dict[str, _Judged]:
    """Relevant documents by question. Raises `BadRequest` when a question is in both parts: it could not be held out."""
    found: dict[str, _Judged] = {}
    for file in _qrels(folder):
        part = PARTS.get(file.name.partition(".")[0])
        for number, line in enumerate(_lines(file, MAX_LINE), 1):
            place = f"{file.name}, line {number}"
            judged = _judgement(line, place, first=number == 1)
            if judged is None:
                continue
            entry = found.setdefault(judged[0], _Judged(part=part, place=place))
            if entry.part != part:
                raise BadRequest(f"{place}: question {judged[0][:200]!r} is also judged in {entry.place}, which belongs to the other part")
            entry.doc_ids.append(judged[1])
    return found


def _judgement(line: str, place: str, *, first: bool) -> tuple[str, str] | None:
    """Question and relevant document of one line; None for the header, an empty line, or a document that is not relevant."""
    cells = line.rstrip("\r\n").split("\t")
    if not line.strip() or (first and cells[0].strip().lower().replace("_", "-") in ("query-id", "qid", "query")):
        return None
    if len(cells) != len(HEADER):
        raise BadRequest(f"{place}: {len(cells)} columns; a judgement has 3 between tabs: {', '.join(HEADER)}")
    try:
        grade = float(cells[2])
    except ValueError:
        grade = math.nan
    if not math.isfinite(grade):
        raise BadRequest(f"{place}: {cells[2][:40]!r} is no grade; it must be a number")
    return (cells[0], cells[1]) if grade > 0 else None


def _qrels(folder: Path) -> list[Path]:
    single = [file for name in (f"{QRELS}.tsv", f"{QRELS}.tsv.gz") if (file := folder / name).is_file()]
    splits = sorted(file for file in (folder / QRELS).glob("*.tsv*") if file.is_file() and file.name.endswith((".tsv", ".tsv.gz")))
    if not (single or splits):
        raise BadRequest(f"{folder} has neither {QRELS}.tsv nor {QRELS}/<split>.tsv: it is no folder in BEIR layout")
    return splits or single


def _own(row: Mapping[str, Any], place: str) -> GoldenQuestion:
    try:
        return question_of(row, "imported")
    except BadRequest as error:
        raise BadRequest(f"{place}: {error}") from error


def _prefixed(question: GoldenQuestion, prefix: str) -> GoldenQuestion:
    return replace(question, passages=tuple(Passage(prefix + each.doc_id, each.quote) for each in question.passages))


def _unique(questions: Sequence[GoldenQuestion], path: Path) -> tuple[GoldenQuestion, ...]:
    known: set[str] = set()
    for question in questions:
        if question.id in known:
            raise BadRequest(f"{path}: two questions have the id {question.id!r}")
        known.add(question.id)
    return tuple(questions)


def _there(file: Path) -> Path:
    """The file, or the packed one in its place."""
    packed = file.with_name(file.name + ".gz")
    if not file.is_file() and not packed.is_file():
        raise BadRequest(f"there is no {file.name} in {file.parent}: it is no folder in BEIR layout")
    return file if file.is_file() else packed


def _rows(file: Path, longest: int) -> Iterator[tuple[dict[str, Any], str]]:
    """Each line as a JSON object, with the words for where it stands."""
    for number, line in enumerate(_lines(file, longest), 1):
        place = f"{file.name}, line {number}"
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BadRequest(f"{place} is not JSON: {error}") from error
            if not isinstance(row, dict):
                raise BadRequest(f"{place} is no JSON object")
            yield row, place


def _lines(file: Path, longest: int) -> Iterator[str]:
    """The lines of a file, packed or not; one at a time in memory, however large the file."""
    number = 0
    try:
        with cast(IO[bytes], gzip.open(file, "rb")) if file.suffix == ".gz" else file.open("rb") as lines:
            while line := lines.readline(longest + 1):
                number += 1
                if len(line) > longest:
                    raise BadRequest(f"{file.name}, line {number} is longer than {longest} bytes")
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(f"{file.name}, line {number} is not UTF-8") from error
    except _BROKEN as error:
        raise BadRequest(f"{file} can't be read after line {number}: {error}") from error
