"""What a candidate finds beside what is live."""

import pytest

from api.shadow import compared
from index.chunk_rows import Chunk
from tasks.retrieve import Hit


def hits(*doc_ids: str) -> list[Hit]:
    return [Hit(Chunk(doc_id, doc_id, 1, 0, doc_id, None, None, "http", "text/plain", (), 0, 1, 1, "", ""), 1.0) for doc_id in doc_ids]


@pytest.mark.parametrize(
    ("live", "candidate", "overlap", "same_first"),
    [("abc", "abc", 1.0, True), ("abcd", "abxy", 2 / 6, True), ("ab", "ba", 1.0, False), ("", "", 1.0, True), ("a", "", 0.0, False)],
)
def test_it_is_told_by_documents(live: str, candidate: str, overlap: float, same_first: bool):
    beside = compared(hits(*live), hits(*candidate), 5.0, 6.0)
    assert (beside.overlap, beside.same_first, beside.live_ms, beside.candidate_ms) == (pytest.approx(overlap), same_first, 5.0, 6.0)
