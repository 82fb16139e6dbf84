"""What was folded, as it is told over HTTP."""

import pytest

from tests.api.running import RunningApi

TEXT = "The great copper mine of Falun gave most of the copper that Europe used."


@pytest.mark.thorough
def test_the_report_counts_what_was_folded_and_what_that_saved(own: RunningApi):
    own.start_ingester()
    own.put("a", TEXT)
    assert own.put("b", TEXT.upper()).json["state"] == "duplicate"
    assert own.put("c", TEXT).json["duplicate_of"] == "a"
    own.put("z", "Silver was mined in Sala.")
    assert own.get("/v1/duplicates").json == {
        "documents": 2,
        "canonical_documents": 1,
        "passages_not_repeated": 2,
        "passages": 4,
        "embedded_strings": 3,
        "embeddings_saved": 1,
        "largest": [{"doc_id": "a", "aliases": 2}],
    }
    assert own.found("copper mine") == ["a", "z"]
