"""The data contract, run by Great Expectations: good rows pass, bad ones are named with what they failed."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from index.chunks import Chunk
from tasks.validate import MAX_CHARACTERS, Contract, Failure, garbage_ratio
from tests.fakes import HashingEmbedder

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
    assert MAX_CHARACTERS == 50_000_000
