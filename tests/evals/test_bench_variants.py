from itertools import islice
from pathlib import Path

import pytest

from evals.bench.variants import Variants, markdown, passages
from index.errors import Misconfigured
from tasks.dedupe import fingerprint, resemblance

STRUCTURED = "# Apples\n\n| kind | 12 |\n| --- | --- |\n\nSome [apples](https://example.org/a) are red.\n"


def test_variants_of_one_text_are_no_near_duplicates_of_it_or_of_each_other():
    [text, *_] = passages(None)
    prints = [fingerprint(one) for one in [text, *islice(Variants([text]), 5)]]
    assert max(resemblance(one, other) for one in prints for other in prints if one is not other) < 0.5


def test_variants_keep_the_structure_and_the_numbers_of_their_original():
    varied = next(Variants([STRUCTURED]))
    assert varied.startswith("# ")
    assert [line.count("|") for line in varied.splitlines()] == [0, 0, 3, 3, 0, 0]
    assert " 12 " in varied


def test_the_same_seed_gives_the_same_documents():
    first, again = (list(Variants(["one two three four five"], seed=7).drafts(3, "a")) for _ in range(2))
    assert first == again
    assert [draft.doc_id for draft in first] == ["a-0", "a-1", "a-2"]


def test_passages_of_the_sample_have_about_150_words():
    lengths = [len(text.split()) for text in passages(None)]
    assert sorted(lengths)[len(lengths) // 2] == 150
    assert max(lengths) == 150


def test_markdown_is_taken_from_a_folder_tree(tmp_path: Path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.md").write_text("# A")
    (tmp_path / "b.txt").write_text("no Markdown")
    assert markdown(tmp_path) == ["# A"]


def test_a_folder_without_markdown_is_refused(tmp_path: Path):
    with pytest.raises(Misconfigured, match="holds no Markdown"):
        markdown(tmp_path)


def test_texts_without_words_are_refused():
    with pytest.raises(Misconfigured, match="no words"):
        Variants(["12 34"])
