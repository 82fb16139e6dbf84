"""Golden questions in files: BEIR folders and our own lines, good and hostile ones."""

import gzip
import json
from pathlib import Path

import pytest

from index.errors import BadRequest
from index.golden import GoldenQuestion, Passage, part_of
from tasks import beir

QUERIES = [
    {"_id": "q1", "text": "Where is the mine?"},
    {"_id": "q2", "text": "How deep is it?"},
    {"_id": "q3", "text": "Nobody judged this."},
]
QRELS = "query-id\tcorpus-id\tscore\nq1\ta\t1\nq1\tb\t2\nq1\tc\t0\nq2\tb\t1\n"


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "queries.jsonl").write_bytes(lines(*QUERIES))
    (tmp_path / "qrels.tsv").write_text(QRELS)
    return tmp_path


def test_relevant_documents_answer_as_a_whole_and_what_nobody_judged_is_left_out(folder):
    found = beir.read(folder, "docs:")
    assert found.questions == (
        GoldenQuestion("q1", "Where is the mine?", (Passage("docs:a", ""), Passage("docs:b", "")), None, origin="imported"),
        GoldenQuestion("q2", "How deep is it?", (Passage("docs:b", ""),), None, origin="imported"),
    )
    assert found.left_out == {"without a judgement": 1}
    assert [question.part for question in found.questions] == [part_of("q1"), part_of("q2")]


def test_the_splits_say_the_part_and_files_may_be_packed(tmp_path):
    (tmp_path / "queries.jsonl.gz").write_bytes(gzip.compress(lines(*QUERIES)))
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq1\ta\t1\n")
    (tmp_path / "qrels" / "test.tsv.gz").write_bytes(gzip.compress(b"q2\tb\t1\r\nunknown\tb\t1\r\n"))
    found = beir.read(tmp_path)
    assert {question.id: question.part for question in found.questions} == {"q1": "development", "q2": "held_out"}
    assert found.left_out == {"without a judgement": 1, "judged but not among the queries": 1}


def test_a_question_in_both_parts_is_refused(folder):
    (folder / "qrels").mkdir()
    (folder / "qrels" / "dev.tsv").write_text("q1\ta\t1\n")
    (folder / "qrels" / "test.tsv").write_text("q2\ta\t1\nq1\ta\t1\n")
    with pytest.raises(BadRequest, match=r"test\.tsv, line 2: question 'q1' is also judged in dev\.tsv, line 1"):
        beir.read(folder)


def test_quotes_of_collections_that_judge_passages_are_kept(folder):
    row = {"_id": "q1", "text": "?", "answer": "In Falun.", "metadata": {"corpus_id": "a", "references": [{"content": "in Falun"}]}}
    (folder / "queries.jsonl").write_bytes(lines(row))
    [question] = beir.read(folder).questions
    assert question.passages == (Passage("a", "in Falun"), Passage("b", ""))
    assert question.reference == "In Falun."


QUESTIONS = (
    GoldenQuestion("a", "Where?", (Passage("x", "in Falun"), Passage("x", "in Sweden"), Passage("y", "")), "In Falun.", "held_out"),
    GoldenQuestion("b", "Why\u2028not?", (Passage("y", ""),), None, "development", "feedback"),
    GoldenQuestion("c", "Who?", (), None, "development"),
)


@pytest.mark.parametrize("name", ["folder", "file.jsonl"])
def test_what_was_exported_is_imported_as_it_was(tmp_path, name):
    (beir.write_lines if name.endswith("jsonl") else beir.write_folder)(tmp_path / name, QUESTIONS)
    assert beir.read(tmp_path / name).questions == QUESTIONS


def test_an_export_never_writes_over_questions(folder):
    with pytest.raises(BadRequest, match="has questions already"):
        beir.write_folder(folder, QUESTIONS)
    assert (folder / "queries.jsonl").read_bytes() == lines(*QUERIES)


def test_documents_of_a_corpus_are_read_one_by_one(folder):
    assert not beir.has_documents(folder)
    (folder / "corpus.jsonl.gz").write_bytes(
        gzip.compress(lines({"_id": "a", "title": "Mine", "text": "Falun."}, {"_id": "b", "text": "-"}), mtime=0)
    )
    assert beir.has_documents(folder)
    assert list(beir.documents(folder, "docs:")) == [
        {"doc_id": "docs:a", "text": "Falun.", "title": "Mine"},
        {"doc_id": "docs:b", "text": "-"},
    ]


# Without the time: it stands in the names of tests, which must be the same in each process that collects them.
PACKED = gzip.compress(lines(*QUERIES), mtime=0)


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("queries.jsonl.gz", PACKED[:-12], "can't be read after line"),
        ("queries.jsonl.gz", b"no gzip at all", "can't be read after line 0"),
        ("queries.jsonl.gz", PACKED[:20] + b"\x00\xff" * 9 + PACKED[38:], "can't be read"),
        ("queries.jsonl", b"\xff\xfe{}", "queries.jsonl, line 1 is not UTF-8"),
        ("queries.jsonl", lines(QUERIES[0]) + b"{", "queries.jsonl, line 2 is not JSON"),
        ("queries.jsonl", b"[" * 200_000, "queries.jsonl, line 1 is not JSON"),
        ("queries.jsonl", lines([1]), "queries.jsonl, line 1 is no JSON object"),
        ("queries.jsonl", b"x" * (beir.MAX_LINE + 1), "queries.jsonl, line 1 is longer than 4194304 bytes"),
        ("queries.jsonl", lines(*QUERIES, *QUERIES), "two questions have the id 'q1'"),
        ("queries.jsonl", lines({"_id": "q1"}), "queries.jsonl, line 1: no golden question"),
        ("queries.jsonl", lines({"_id": "q1", "text": " "}), "the question is empty"),
        ("queries.jsonl", lines({"_id": "q1", "text": "?", "metadata": {"passages": [{"doc_id": "a", "quote": 7}]}}), "line 1: no golden"),
        ("queries.jsonl", lines({"_id": "q1", "text": "?", "metadata": {"origin": "=1+1"}}), "line 1: no golden question"),
        ("queries.jsonl", b"", "no question with a judgement"),
        ("qrels.tsv", b"q1\ta\t1\tmore\n", r"qrels\.tsv, line 1: 4 columns"),
        ("qrels.tsv", b"q1 a 1\n", r"qrels\.tsv, line 1: 1 columns"),
        ("qrels.tsv", b"q1\ta\tmuch\n", r"qrels\.tsv, line 1: 'much' is no grade"),
        ("qrels.tsv", b"q1\ta\tnan\n", r"'nan' is no grade"),
        ("qrels.tsv", b"q1\ta\tinf\n", r"'inf' is no grade"),
        ("qrels.tsv", b"q1\t\t1\n", "doc_id must have 1 to 512 characters"),
        ("qrels.tsv", b"q1\t" + b"a" * 600 + b"\t1\n", "doc_id must have 1 to 512 characters"),
        ("qrels.tsv", b"\xff\t\t\n", r"qrels\.tsv, line 1 is not UTF-8"),
        ("qrels.tsv", b"q9\ta\t1\n", "no question with a judgement"),
        ("qrels.tsv", b"q1\ta\t0\n", "no question with a judgement"),
    ],
)
def test_a_hostile_file_is_refused_with_its_place(folder, file, content, reason):
    if file.endswith(".gz"):
        (folder / "queries.jsonl").unlink()
    (folder / file).write_bytes(content)
    with pytest.raises(BadRequest, match=reason):
        beir.read(folder)


def test_two_questions_with_one_id_are_refused(tmp_path):
    row = {"id": "a", "question": "?", "passages": []}
    (tmp_path / "mine.jsonl").write_bytes(lines(row, row))
    with pytest.raises(BadRequest, match="two questions have the id 'a'"):
        beir.read(tmp_path / "mine.jsonl")


def test_a_folder_that_is_none_says_what_is_missing(tmp_path):
    with pytest.raises(BadRequest, match="no file or folder"):
        beir.read(tmp_path / "missing")
    with pytest.raises(BadRequest, match=r"neither qrels\.tsv nor"):
        beir.read(tmp_path)
    (tmp_path / "qrels.tsv").write_text(QRELS)
    with pytest.raises(BadRequest, match=r"there is no queries\.jsonl"):
        beir.read(tmp_path)


@pytest.mark.parametrize("row", [{"_id": 7, "text": "x"}, {"_id": "a"}, {"text": "x"}, {"_id": "a", "text": None}])
def test_a_document_without_id_or_text_is_refused(folder, row):
    (folder / "corpus.jsonl").write_bytes(lines(row))
    with pytest.raises(BadRequest, match=r"corpus\.jsonl, line 1"):
        list(beir.documents(folder))
