"""Pieces of work: as much as takes the time, whatever each piece takes beside it."""

import pytest

from tasks.pieces import Pieces


def sizes(beside_s: float, each_s: float, count: int = 12, wished_s: float = 0.5) -> list[int]:
    """Documents of one piece after the other, that each take so long."""
    pieces, found = Pieces(first=8), []
    for _ in range(count):
        found.append(max(1, round(pieces.fitting(wished_s))))
        pieces.took(found[-1], beside_s + each_s * found[-1])
    return found


def test_documents_fill_the_time_that_is_wished():
    assert sizes(beside_s=0.0, each_s=0.1)[-1] == 5


def test_what_each_piece_takes_is_part_of_its_time():
    assert sizes(beside_s=0.2, each_s=0.01)[-1] == 30


def test_at_least_half_of_the_time_goes_into_documents():
    assert sizes(beside_s=2.0, each_s=0.01)[-1] == 200


def test_pieces_grow_at_most_four_times():
    assert sizes(beside_s=0.0, each_s=0.001)[:4] == [8, 32, 128, 500]


@pytest.mark.parametrize("each_s", [1.0, 30.0])
def test_slow_documents_come_one_by_one(each_s):
    assert sizes(0.1, each_s)[-1] == 1


def test_a_machine_that_becomes_slow_gets_small_pieces_again():
    pieces = Pieces(first=8)
    for _ in range(8):
        pieces.took(100, 0.5)
    for _ in range(16):
        documents = max(1, round(pieces.fitting(0.5)))
        pieces.took(documents, 0.1 * documents)
    assert documents == 5


def test_time_that_varies_by_chance_keeps_pieces_in_bounds():
    pieces = Pieces(first=8)
    for seconds in (0.5, 0.1, 0.9, 0.2, 0.7, 0.05) * 5:
        documents = min(500, max(1, round(pieces.fitting(0.5))))
        pieces.took(documents, seconds)
        assert 0 < pieces.fitting(0.5) <= 4 * 500
