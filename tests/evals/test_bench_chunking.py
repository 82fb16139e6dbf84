import json
from pathlib import Path

import numpy as np
import pytest

from evals.bench.chunking import Vectorizer, answered, best_of_fixed_size, chunking, compared, exam, limited
from evals.bench.collection import beir
from evals.bench.corpus import HashingEmbedder
from evals.bench.options import Options
from evals.bench.passages import Coverage, Passage, Way, blocks, broken, coverage, cutter, sentences, texts
from index.documents import Draft
from index.errors import Misconfigured

FIXED, STRUCTURE = Way(8, 0.0, headers=False), Way(96, None, headers=True)


@pytest.fixture
def embedder() -> HashingEmbedder:
    return HashingEmbedder()


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two documents, and a question about each."""
    folder = tmp_path / "pets"
    folder.mkdir()
    documents = [
        {"_id": "d1", "title": "Cats", "text": "Cats purr when content and hiss when not"},
        {"_id": "d2", "title": "Dogs", "text": "Dogs bark at strangers"},
    ]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, documents)))
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "Cats purr"}\n{"_id": "q2", "text": "Dogs bark"}')
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\n")
    return folder


def test_windows_have_a_fixed_number_of_tokens_and_overlap(embedder: HashingEmbedder):
    [text] = texts([Draft("d", content=b"a b c d e f g h i j")], embedder.tokenizer())
    plain = cutter(FIXED, embedder.tokenizer())(text)
    assert [passage.embedded for passage in plain] == ["a b c d e f", "g h i j"]
    overlapping = cutter(Way(6, 0.25, headers=False), embedder.tokenizer())(text)
    assert [passage.embedded for passage in overlapping] == ["a b c d", "d e f g", "g h i j"]
    assert [passage.tokens for passage in overlapping] == [range(4), range(3, 7), range(6, 10)]


def test_the_title_stands_before_the_first_window_or_before_each(embedder: HashingEmbedder):
    [text] = texts([Draft("d", content=b"a b c d e f g", title="T")], embedder.tokenizer())
    assert [passage.embedded for passage in cutter(FIXED, embedder.tokenizer())(text)] == ["T\na b c d e f", "g"]
    assert [passage.embedded for passage in cutter(Way(8, 0.0, headers=True), embedder.tokenizer())(text)] == ["T\na b c d e", "T\nf g"]


def test_structure_is_cut_by_the_chunker_of_the_platform(embedder: HashingEmbedder):
    draft = Draft("d", content=b"# One\n\nFirst words.\n\n# Two\n\nLast words.", media_type="text/markdown")
    [text] = texts([draft], embedder.tokenizer())
    [with_headers] = cutter(STRUCTURE, embedder.tokenizer())(text)
    [without] = cutter(Way(96, None, headers=False), embedder.tokenizer())(text)
    assert with_headers.embedded.startswith("One\n")
    assert without.embedded == text.parsed.text[without.start : without.end]


def test_tokens_of_all_documents_are_numbered_through(embedder: HashingEmbedder):
    first, second = texts([Draft("a", content=b"one two three"), Draft("b", content=b"four five")], embedder.tokenizer())
    assert first.tokens(4, 13) == range(1, 3)
    assert second.tokens(0, 9) == range(3, 5)


def test_coverage_counts_tokens_within_the_budget():
    ranked = [range(4), range(2, 6), range(20, 30)]
    assert coverage(ranked, {3, 4, 20, 21}, budget=4) == Coverage(recall=1 / 4, precision=1 / 4, iou=1 / 7)
    # What is retrieved twice is paid for twice.
    assert coverage(ranked, {3, 4, 20, 21}, budget=8) == Coverage(recall=2 / 4, precision=2 / 8, iou=2 / 10)
    assert coverage(ranked, {3, 4, 20, 21}, budget=9).recall == 3 / 4


def test_sentences_and_blocks_that_stand_whole_in_no_passage_are_counted(embedder: HashingEmbedder):
    [text] = texts([Draft("d", content=b"One two. Three four.\n\n```\nx\n```\n", media_type="text/markdown")], embedder.tokenizer())
    assert [text.parsed.text[text.starts[unit.start] :][:5] for unit in sentences(text)[:2]] == ["One t", "Three"]
    assert len(blocks(text)) == 1
    halves = [Passage("d", 0, 0, range(5), ""), Passage("d", 0, 0, range(5, 9), "")]
    assert broken([range(3), range(4, 6), range(6, 9), range(9)], halves, room=5) == (1, 3)


def test_each_string_is_embedded_once(embedder: HashingEmbedder):
    class Counting(HashingEmbedder):
        embedded = 0

        def embed(self, texts):
            self.embedded += len(texts)
            return super().embed(texts)

    counting = Counting()
    vectorizer = Vectorizer(counting)
    assert np.array_equal(vectorizer.passages(["a", "b", "a"]), embedder.embed(["a", "b", "a"]))
    vectorizer.passages(["b"])
    assert counting.embedded == 2


def test_documents_are_ranked_by_their_best_passage(pets: Path, embedder: HashingEmbedder):
    examined = exam(beir(pets), embedder)
    passages = [passage for text in examined.documents for passage in cutter(FIXED, embedder.tokenizer())(text)]
    values = answered(examined, passages, embedder.embed([passage.embedded for passage in passages]))
    assert values == {"nDCG@10": [1.0, 1.0]}


def test_passages_are_judged_by_the_tokens_of_the_answers(pets: Path, embedder: HashingEmbedder):
    answer = {"corpus_id": "d1", "references": [{"content": "purr when", "start_index": 5, "end_index": 14}]}
    (pets / "queries.jsonl").write_text(json.dumps({"_id": "q1", "text": "Cats purr", "metadata": answer}))
    examined = exam(beir(pets), embedder)
    passages = [passage for text in examined.documents for passage in cutter(FIXED, embedder.tokenizer())(text)]
    values = answered(examined, passages, embedder.embed([passage.embedded for passage in passages]))
    assert values["recall in 1,024 tokens"] == [1.0]
    assert values["precision"] == [2 / 12]


def test_a_way_is_compared_question_by_question_with_the_best_of_fixed_size():
    values = {Way(6, 0.25, headers=False): {"m": [0.1, 0.2]}, FIXED: {"m": [0.4, 0.8]}, STRUCTURE: {"m": [0.5, 0.9]}}
    best = best_of_fixed_size(values, "m")
    assert best == FIXED
    figures = {figure.metric: figure for figure in compared(STRUCTURE, values, {"m": best})}
    assert figures["m"].value == pytest.approx(0.7)
    assert figures["m"].baseline == FIXED.name
    assert figures["m, more than fixed size"].value == pytest.approx(0.1)


def test_few_documents_are_those_that_answer(pets: Path):
    collection = limited(beir(pets), 1)
    assert [draft.doc_id for draft in collection.documents] == ["d1"]
    assert [question.id for question in collection.questions] == ["q1"]


def test_questions_without_their_documents_are_refused(pets: Path):
    (pets / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t1\n")
    with pytest.raises(Misconfigured, match="no question of pets is answered by 1 documents"):
        chunking(Options(docs=1, data=pets))
