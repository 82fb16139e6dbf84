"""What all tables share."""

import pytest

from index.tables import went_through


def test_a_folding_that_lost_its_commit_to_a_batch_is_tried_next_time_and_other_trouble_is_told():
    def loses() -> None:
        raise OSError("Retryable commit conflict for version 85: This Rewrite transaction was preempted by concurrent transaction Update")

    def is_crowded_out() -> None:
        raise OSError("Too many concurrent writers. Attempted 2 times, but failed on retry_timeout of 30.000 seconds.")

    def breaks() -> None:
        raise OSError("No space left on device")

    assert went_through(loses) is False
    assert went_through(is_crowded_out) is False
    with pytest.raises(OSError, match="No space left"):
        went_through(breaks)
