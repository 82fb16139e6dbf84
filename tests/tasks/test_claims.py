"""What a model writes is cut into claims as it comes, whatever it writes."""

from time import process_time

import pytest

from tasks.chat import MOST_CHARACTERS
from tasks.claims import MOST_MARKS, Claim, Claims


def cut(written: str, at_once: int = 1) -> list[Claim]:
    claims = Claims()
    whole = [claim for start in range(0, len(written), at_once) for claim in claims.feed(written[start : start + at_once])]
    return whole + claims.rest()


@pytest.mark.parametrize("at_once", [1, 3, 1_000])
def test_the_same_claims_come_of_any_pieces(at_once: int):
    written = 'Apples grow. [1: "apples"] [2] Pears too [3]. Nothing bears this out.'
    assert cut(written, at_once) == [
        Claim("Apples grow.", ((1, "apples"), (2, None))),
        Claim("Pears too", ((3, None),)),
        Claim("Nothing bears this out.", ()),
    ]


def test_a_claim_has_so_many_marks_and_no_more():
    assert cut("Apples grow " + "[1]" * 3 * MOST_MARKS) == [Claim("Apples grow", ((1, None),) * MOST_MARKS)]


@pytest.mark.parametrize("again", ["[1]. ", "[1]", '[1: "', '[1: "a"', '[1:"]', "[", "]", "apples ", '] [1: "x" '])
def test_a_model_that_repeats_itself_for_ever_keeps_nobody_busy(again: str):
    began = process_time()
    cut((again * MOST_CHARACTERS)[:MOST_CHARACTERS])
    assert process_time() - began < 5
