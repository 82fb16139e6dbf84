"""Batches: by length, within the budget, nothing lost."""

import pytest

from index.token_batches import filled, padded, together, token_batches


def test_texts_of_the_same_length_go_together_the_longest_first():
    batches = list(token_batches([[1], [2, 2, 2], [3], [4, 4, 4]], budget=6, pad=0, most=3))
    assert [batch.ids.tolist() for batch in batches] == [[[2, 2, 2], [4, 4, 4]], [[1, 0, 0], [3, 0, 0]]]
    assert [batch.places.tolist() for batch in batches] == [[1, 3], [0, 2]]


def test_a_shorter_text_is_filled_up():
    (batch,) = token_batches([[1], [2, 2]], budget=4, pad=9, most=2)
    assert batch.ids.tolist() == [[2, 2], [1, 9]]
    assert batch.lengths.tolist() == [2, 1]


@pytest.mark.parametrize("budget", [1, 7, 64, 10_000])
def test_every_text_is_in_one_batch_and_no_batch_has_more_tokens_than_the_budget(budget: int):
    texts = [[place] * (1 + place % 13) for place in range(100)]
    batches = list(token_batches(texts, budget, pad=0, most=13, first=1000))
    assert sorted(place for batch in batches for place in batch.places.tolist()) == list(range(1000, 1100))
    assert all(batch.ids.size <= budget or len(batch.ids) == 1 for batch in batches)
    for batch in batches:
        for place, row, length in zip(batch.places, batch.ids, batch.lengths, strict=True):
            assert row[:length].tolist() == texts[place - 1000]


def test_no_texts_are_no_batches_and_a_text_without_tokens_is_one():
    assert list(token_batches([], budget=8, pad=0, most=1)) == []
    (batch,) = token_batches([[]], budget=8, pad=0, most=1)
    assert (batch.ids.tolist(), batch.lengths.tolist()) == ([[0]], [1])


@pytest.mark.parametrize(
    ("length", "most", "width"),
    [(0, 256, 8), (1, 256, 8), (8, 256, 8), (9, 256, 16), (64, 256, 64), (65, 256, 80), (250, 256, 256), (250, 251, 251)],
)
def test_lengths_are_filled_up_to_a_few_widths_and_never_beyond_what_the_model_reads(length: int, most: int, width: int):
    assert padded(length, most) == width


@pytest.mark.parametrize(("tokens", "width"), [(3, 4), (9, 12), (64, 64), (65, 80)])
def test_a_question_is_filled_up_less(tokens: int, width: int):
    (batch,) = token_batches([[1] * tokens], budget=1024, pad=0, most=256)
    assert batch.ids.shape == (1, width)


def test_whatever_is_embedded_the_batches_have_few_shapes():
    shapes = set()
    for count in range(1, 40):
        texts = [[1] * (1 + (place * 37 + count * 11) % 200) for place in range(count)]
        shapes |= {batch.ids.shape for batch in token_batches(texts, budget=1024, pad=0, most=256)}
    assert len(shapes) < 100


def test_a_few_questions_are_one_batch_filled_up_to_one_of_few_shapes():
    batch = together([[1, 1, 1], [2] * 9, *[[3]] * 7], pad=0, most=256)
    assert batch.ids.shape == (16, 16)
    assert batch.places.tolist() == list(range(9))
    assert batch.lengths.tolist() == [3, 9, *[1] * 14]
    assert batch.rows == 28  # of 256; 26 are no padding


def test_padding_is_computed_where_there_is_little_of_it():
    (batch,) = token_batches([[1] * 16, [2] * 15], budget=64, pad=0, most=256)
    assert batch.rows == batch.ids.size == 32


@pytest.mark.parametrize(("count", "most"), [(0, 0), (7, 7), (9, 10), (17, 20), (316, 320), (321, 384)])
def test_numbers_are_filled_up_to_few_and_near_ones(count: int, most: int):
    assert filled(count) == most
