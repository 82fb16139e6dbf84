"""Pieces of work: as many documents as take the time, whatever each piece takes beside them."""

import pytest

from tasks.pieces import Pieces


def sizes(each_piece_s: float, each_document_s: float, count: int = 12) -> list[int]:
    pieces = Pieces(size=8, most=500)
    found = []
    for _ in range(count):
        found.append(pieces.size)
        pieces.took(pieces.size, each_piece_s + each_document_s * pieces.size, wished_s=0.5)
    return found


def test_documents_take_the_time_that_is_wished():
    assert sizes(each_piece_s=0.0, each_document_s=0.1)[-1] == 5


def test_what_each_piece_takes_does_not_make_pieces_smaller():
    assert sizes(each_piece_s=2.0, each_document_s=0.01)[-1] == 50


def test_quick_documents_fill_pieces_up_to_the_most():
    assert sizes(each_piece_s=1.0, each_document_s=0.0001)[-1] == 500


def test_a_piece_grows_at_most_four_times():
    first, second, third = sizes(each_piece_s=0.0, each_document_s=0.001)[:3]
    assert (first, second, third) == (8, 32, 128)


@pytest.mark.parametrize("each_document_s", [1.0, 30.0])
def test_slow_documents_come_one_by_one(each_document_s):
    assert sizes(0.1, each_document_s)[-1] == 1


def test_time_that_varies_by_chance_keeps_pieces_in_bounds():
    pieces = Pieces(size=8, most=500)
    for seconds in (0.5, 0.1, 0.9, 0.2, 0.7, 0.05) * 5:
        pieces.took(pieces.size, seconds, wished_s=0.5)
        assert 1 <= pieces.size <= 500
