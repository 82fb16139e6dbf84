"""What a model writes is cut into claims as it comes, whatever it writes."""

from time import process_time

import pytest

from index.chunk_rows import Chunk
from tasks.chat import MOST_CHARACTERS
from tasks.claims import MOST_MARKS, Claim, Claims, evidence
from tasks.context import Source
from tasks.guards import addresses


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


MINE = (
    "The great copper mine of Falun is in Dalarna, Sweden. It gave most of its copper in the 17th century. It was closed in 1992. "
    "Visitors cannot enter the mine alone; see https://falun.com/visit or write to tours@falun.com first."
)


def borne_out(claim: str, quote: str) -> str | None:
    """What is quoted for a claim; None where nothing bears it out."""
    chunk = Chunk("c1", "mine", 1, 0, MINE, None, None, "http", "text/plain", (), 0, len(MINE), 40, "", MINE)
    found = evidence(Claim(claim, ((1, quote),)), claim, [Source(1, (chunk,))], 1)
    return found.quote if found else None


@pytest.mark.parametrize(
    ("claim", "quote", "shown"),
    [
        ("The copper mine of Falun was closed in 1992.", "It was closed in 1992", "It was closed in 1992"),
        ("The great copper mine of Falun is in Sweden.", "Sweden", "The great copper mine of Falun is in Dalarna, Sweden."),
        ("Visitors can not enter the mine alone.", "cannot enter the mine alone", "cannot enter the mine alone"),
        ("Visitors write to tours@falun.com first.", "write to tours@falun.com first", "write to tours@falun.com first"),
        ("See https://falun.com/visit before visitors enter.", "see https://falun.com/visit", "see https://falun.com/visit"),
    ],
)
def test_a_claim_rests_on_what_it_quotes(claim: str, quote: str, shown: str):
    assert borne_out(claim, quote) == shown


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("The mine of Falun was not closed in 1992.", "It was closed in 1992."),
        ("Visitors enter the mine alone.", "Visitors cannot enter the mine alone"),
        ("The great copper mine of Falun was closed in the 17th century.", "Sweden"),
        ("The great copper mine of Falun was closed in 1992.", "most of its copper in the 17th century"),
        ("The copper mine gave most of its copper.", "see"),
        ("Visitors enter the mine at https://falun.co first.", "a"),
        ("Visitors enter the mine at https://falun.com/vis first.", "see https://falun.com/visit"),
        ("Visitors write to tours@falun.co first.", "write to tours@falun.com first"),
        ("Visitors of the mine see falun.co first.", "see https://falun.com/visit"),
    ],
)
def test_a_claim_that_says_more_or_else_than_its_quote_is_not_borne_out(claim: str, quote: str):
    assert borne_out(claim, quote) is None


@pytest.mark.parametrize("again", ["a", "a.", "a-", "1.", "a@a.", "http://a."])
def test_addresses_are_looked_for_in_a_long_text_without_an_end(again: str):
    began = process_time()
    addresses((again * 50_000)[:50_000])
    assert process_time() - began < 0.5
