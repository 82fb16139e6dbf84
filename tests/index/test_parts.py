"""Which parts of an index are merged when: seldom, and never a large one for a few rows."""

import pytest

from index.parts import LISTS, MB, newest_to_merge, to_make_one


@pytest.mark.parametrize(
    ("sizes", "incoming", "count"),
    [
        ([], 0, 0),
        ([0], 0, 1),
        ([2 * MB], 0, 1),
        ([90 * MB], 0, 0),
        ([90 * MB, MB], 0, 1),
        ([90 * MB, 3 * MB], 0, 0),
        ([90 * MB, 3 * MB], MB, 1),
        ([90 * MB, 6 * MB], MB, 0),
        ([90 * MB, 3 * MB, MB], 0, 2),
        ([90 * MB, 7 * MB, 2 * MB], MB, 1),
    ],
)
def test_new_rows_are_merged_with_parts_that_are_not_much_larger(sizes: list[int], incoming: int, count: int):
    assert newest_to_merge(sizes, incoming) == count


def test_lists_of_values_are_merged_once_in_four_times():
    assert [newest_to_merge([MB] * parts, 1, LISTS) for parts in (1, 2, 4, 5)] == [0, 0, 0, 4]


@pytest.mark.parametrize("incoming", [MB // 20, MB // 2, 2 * MB])
def test_there_are_few_parts_and_little_is_rewritten_however_many_rows_come(incoming: int):
    sizes, rewritten, most = [200 * MB], 0, 0
    for _ in range(50 * MB // incoming):
        count = newest_to_merge(sizes, incoming)
        merged = sum(sizes[len(sizes) - count :]) + incoming
        sizes = [*sizes[: len(sizes) - count], merged]
        rewritten += merged
        most = max(most, len(sizes))
    assert sum(sizes) == 250 * MB
    assert most <= 10
    assert rewritten < 30 * 50 * MB


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        ([], None),
        ([90 * MB], None),
        ([90 * MB, 9 * MB], None),
        ([90 * MB, 8 * MB, 2 * MB], 3),
        ([90 * MB, MB, MB, MB, MB], None),
        ([90 * MB, MB, MB, MB, MB, MB], 5),
    ],
)
def test_parts_become_one_when_they_are_large_or_many(sizes: list[int], count: int | None):
    assert to_make_one(sizes, 0) == count
