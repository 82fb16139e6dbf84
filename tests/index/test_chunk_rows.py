"""Passages as rows of a table and back: by one column beside the text, and from tables of earlier code that lack it."""

from dataclasses import replace

import numpy as np
import pytest

from index import schema
from index.chunk_rows import BESIDE_TEXT, Chunk, chunks_from, columns_of_chunks, to_arrow

PLAIN = Chunk("c1", "apples", 3, 0, "Apples grow.", None, None, "api", "text/plain", (), 0, 12, 3, "h1", "Apples grow.")
FULL = replace(
    PLAIN,
    doc_id='a "quoted" id/ü',
    text='Äpfel wachsen "schnell".\n東京',
    title="Obst",
    uri="https://example.org/?q=ü",
    heading=("Garten", "Bäume"),
    metadata={"year": 2024, "price": 1.0, "tags": ["a", "b"], "by": {"name": "Ann", "age": None}, "big": 2**63 - 1, "": True},
    page=7,
    duplicate_of="pears",
)
SCHEMA = schema.chunks(2, 16)
EARLIER = SCHEMA.remove(SCHEMA.get_field_index(BESIDE_TEXT))


@pytest.mark.parametrize("target", [SCHEMA, EARLIER], ids=["one column", "earlier code"])
@pytest.mark.parametrize("chunk", [PLAIN, FULL], ids=["plain", "full"])
def test_what_is_shown_comes_back_as_it_was(chunk: Chunk, target):
    rows = to_arrow([chunk], {"h1": np.array([1, 0], np.float32)}, target)
    [found] = chunks_from(rows.select(columns_of_chunks(rows.column_names)))
    assert found == replace(chunk, text_hash="", embedded_text="")


def test_two_columns_are_read_where_sixteen_were():
    assert columns_of_chunks(SCHEMA.names) == ["text", "beside_text"]
    assert len(columns_of_chunks(EARLIER.names)) == 16
