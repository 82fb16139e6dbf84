"""The data contract, run by Great Expectations: good rows pass, bad ones are named with what they failed."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from great_expectations.data_context.data_context.context_factory import project_manager

from index.chunk_rows import Chunk
from index.errors import BatchStopped, Misconfigured
from tasks.validate import Contract, Failure, Thresholds, garbage_ratio, text_ratio, thresholds
from tests.fakes import HashingEmbedder
from tests.tasks.test_language import ENGLISH, GERMAN

GOOD = HashingEmbedder().embed_query("a good vector")


def chunk(chunk_id: str, doc_id: str, **facts: Any) -> Chunk:
    row = Chunk(
        chunk_id=chunk_id, doc_id=doc_id, revision=1, ordinal=0, text="text", title=None, uri=None, source="http", media_type="text/plain",
        heading=(), start=0, end=4, tokens=3, text_hash="h", embedded_text="text",
    )  # fmt: skip
    return replace(row, **facts)


def reasons(failures: list[Failure]) -> dict[str, str]:
    return {failure.doc_id: failure.reason for failure in failures}


def test_good_rows_pass(contract: Contract):
    assert contract.documents({"a": "Plain text.\n\twith a tab", "b": "Zoë's café 東京 😀"}) == []
    assert contract.chunks([chunk("1", "a"), chunk("2", "a")]) == []
    assert contract.vectors(["a"], [GOOD]) == []


def test_no_result_of_a_batch_is_kept(contract: Contract):
    for _ in range(3):
        contract.vectors(["a"], [GOOD])
        contract.vectors(["a"], [0 * GOOD])
    assert project_manager.get_validation_results_store().list_keys() == []


def test_an_empty_batch_passes(contract: Contract):
    assert contract.documents({}) == contract.chunks([]) == contract.vectors([], []) == []


def test_a_text_of_garbage_is_named_and_the_others_pass(contract: Contract):
    assert reasons(contract.documents({"good": "text", "bad": "t\ufffdxt\x01", "fine": "x" * 99 + "\ufffd"})) == {
        "bad": "documents.garbage_ratio expect_column_values_to_be_between"
    }


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"text": " \n "}, "chunks.text expect_column_values_to_not_match_regex"),
        ({"tokens": 257}, "chunks.tokens expect_column_values_to_be_between"),
        ({"end": 0}, "chunks.length expect_column_values_to_be_between"),
    ],
)
def test_a_bad_passage_is_named(contract: Contract, facts: dict[str, Any], reason: str):
    assert reasons(contract.chunks([chunk("1", "good"), chunk("2", "bad", **facts)])) == {"bad": reason}


def test_passages_with_the_same_id_are_named(contract: Contract):
    failures = contract.chunks([chunk("1", "one"), chunk("1", "other"), chunk("2", "good")])
    assert set(reasons(failures)) == {"one", "other"}
    assert failures[0].reason == "chunks.chunk_id expect_column_values_to_be_unique"


@pytest.mark.parametrize(
    ("vector", "reason"),
    [
        (np.ones(3, dtype=np.float32) / np.sqrt(3), "vectors.dimensions expect_column_values_to_be_between"),
        (GOOD * np.nan, "vectors.finite expect_column_values_to_be_between"),
        (GOOD * 2, "vectors.norm expect_column_values_to_be_between"),
        (GOOD * 0, "vectors.norm expect_column_values_to_be_between"),
    ],
)
def test_a_bad_vector_is_named(contract: Contract, vector: Any, reason: str):
    assert reasons(contract.vectors(["good", "bad", "good"], [GOOD, vector, GOOD])) == {"bad": reason}


def test_a_document_with_many_bad_rows_is_named_once(contract: Contract):
    failures = contract.chunks([chunk(str(i), "bad", tokens=999, text=" ") for i in range(50)])
    assert [failure.doc_id for failure in failures] == ["bad"]


@pytest.mark.parametrize(("text", "ratio"), [("", 0.0), ("abcd", 0.0), ("a\n\t\f", 0.0), ("ab\x00\ufffd", 0.5), ("\x1b", 1.0)])
def test_garbage_is_what_real_text_does_not_have(text: str, ratio: float):
    assert garbage_ratio(text) == ratio


def test_the_limit_of_a_document_is_stated():
    assert Thresholds().max_characters == 50_000_000


def test_the_share_of_letters_and_digits_is_of_what_is_shown():
    assert text_ratio("ab 1\n") == 1.0
    assert text_ratio("東京 --") == 0.5
    assert text_ratio(" \n") == text_ratio("") == text_ratio("--__--") == 0.0


def test_a_text_without_letters_is_named(contract: Contract):
    assert reasons(contract.documents({"bad": "-=-=-=" * 20, "good": "| a | 1 |"})) == {
        "bad": "documents.text_ratio expect_column_values_to_be_between"
    }


def test_thresholds_come_from_a_file_and_the_others_keep_their_defaults(tmp_path: Path):
    file = tmp_path / "contract.toml"
    file.write_text("max_garbage_ratio = 0.5\nmin_batch = 3\nlanguages = ['en', 'de']\n")
    assert thresholds(file) == Thresholds(max_garbage_ratio=0.5, min_batch=3, languages=("en", "de"))
    assert thresholds(None) == Thresholds()


def test_a_text_in_another_language_than_those_asked_for_is_named():
    contract = Contract(64, 256, Thresholds(languages=("en",)))
    texts = {"english": ENGLISH, "german": GERMAN, "short": "Äpfel und Birnen"}
    assert reasons(contract.documents(texts)) == {"german": "documents.language expect_column_values_to_be_in_set"}


def test_any_language_passes_when_none_is_asked_for(contract: Contract):
    assert contract.documents({"english": ENGLISH, "german": GERMAN}) == []


@pytest.mark.parametrize(
    "text",
    ["max_garbage = 1", "languages = 'en'", "languages = [1]", "min_batch = 'many'", "min_batch = true", "min_batch = -1", "min_batch"],
)
def test_a_file_that_can_not_be_meant_is_refused(tmp_path: Path, text: str):
    file = tmp_path / "contract.toml"
    file.write_text(text)
    with pytest.raises(Misconfigured, match="GROUNDWORK_CONTRACT"):
        thresholds(file)


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(Misconfigured, match="can't be read"):
        thresholds(tmp_path / "none.toml")


@pytest.mark.parametrize(("documents", "broken", "stops"), [(10, 5, False), (10, 6, True), (9, 9, False), (1000, 501, True), (0, 0, False)])
def test_a_batch_is_stopped_when_more_than_half_of_a_larger_one_is_broken(contract: Contract, documents: int, broken: int, stops: bool):
    with pytest.raises(BatchStopped) if stops else nullcontext():
        contract.check_batch(documents, {f"d{n}" for n in range(broken)})


def test_a_batch_with_far_fewer_passages_a_document_than_the_last_ones_is_unusual():
    contract = Contract(64, 256, Thresholds(min_batch=2))
    assert contract.counts({"text/html": [30, 50], "text/plain": [1, 1]}) == []
    assert contract.counts({"text/html": [20, 60], "text/plain": [1, 2]}) == []
    assert contract.counts({"text/html": [1, 1], "text/plain": [1, 1]}) == ["text/html: 1.0 passages a document, in the last batches 40.0"]


def test_small_batches_are_compared_with_nothing():
    contract = Contract(64, 256, Thresholds(min_batch=2))
    contract.counts({"text/html": [40, 40]})
    assert contract.counts({"text/html": [1]}) == []


def test_the_comparison_with_the_last_batches_can_be_switched_off():
    contract = Contract(64, 256, Thresholds(min_batch=2, max_count_change=0))
    contract.counts({"text/html": [40, 40]})
    assert contract.counts({"text/html": [1, 1]}) == []
