"""Work ahead: in order, bounded, and over when nobody asks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from index.ahead import computed_ahead


def test_results_come_in_order_with_their_items():
    with ThreadPoolExecutor(3) as executor:
        assert list(computed_ahead(executor, lambda item: item * item, range(5), ahead=2)) == [(0, 0), (1, 1), (2, 4), (3, 9), (4, 16)]
        assert list(computed_ahead(executor, abs, [], ahead=2)) == []


def test_only_so_many_items_are_taken_ahead():
    taken = []

    def endless() -> Iterator[int]:
        for number in count():
            taken.append(number)
            yield number

    with ThreadPoolExecutor(1) as executor:
        results = computed_ahead(executor, abs, endless(), ahead=3)
        assert [next(results), next(results)] == [(0, 0), (1, 1)]
        assert taken == [0, 1, 2, 3, 4]
        results.close()
    assert taken == [0, 1, 2, 3, 4]


def test_an_error_reaches_who_asks():
    with ThreadPoolExecutor(1) as executor, pytest.raises(ZeroDivisionError):
        list(computed_ahead(executor, lambda item: 1 // item, [1, 0, 1], ahead=1))
