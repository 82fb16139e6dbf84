"""The parts of indexes: a large one and a few smaller ones beside it, so that taking new rows in costs what they are, not what is there.

As a log-structured merge tree (O'Neil, Cheng, Gawlick and O'Neil, 1996): new rows are merged with the newest parts that are not much
larger than they are, so that there are few parts, and each row is rewritten few times.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

MB = 1_000_000
# A part of less than this is merged with whatever comes; merging a megabyte of full text takes a tenth of a second. Each part of a
# vector index has all centres, 1.5 MB for 1,024 of them.
SMALL = 2 * MB
RATIO = 4
# Between batches no more is rewritten at once.
MOST = 8 * MB
# Merging lists of values costs a quarter of a second for a thousand values, however few rows are new; a part of its own 10 ms.
LISTS = "LabelList"
LISTS_BESIDE = 4
# When the parts beside the large one are this share of it, searches feel them: all are made one.
SHARE = 0.1
MANY = 5


def newest_to_merge(sizes: Sequence[int], incoming: int, kind: str = "") -> int:
    """How many of the newest parts new rows are merged with, between batches; 0: they become a part of their own.

    Args:
        sizes: bytes of the parts, oldest first.
        incoming: about how many bytes the new rows will take.
        kind: of the index.
    """
    if kind == LISTS:
        return 0 if len(sizes) <= LISTS_BESIDE else len(sizes) - 1
    merged, count = incoming, 0
    for size in reversed(sizes):
        if size > max(SMALL, RATIO * merged) or merged + size > MOST:
            break
        merged += size
        count += 1
    return count


def to_make_one(sizes: Sequence[int], incoming: int, kind: str = "") -> int | None:
    """How many of the newest parts are better made one, however long it takes; None: all is well. `incoming` rows go along."""
    del incoming, kind
    beside = sum(sizes[1:])
    if beside > SHARE * sum(sizes[:1]):
        return len(sizes)
    return len(sizes) - 1 if len(sizes) > MANY else None


def optimize(dataset: Any, plan: Callable[[Sequence[int], int, str], int | None], only: str | None = None) -> bool:
    """Takes the rows that are in no index into each of them, merged with as many of its parts as the plan says; True if any was due.

    `only`: into the indexes of this column.
    """
    by_count: defaultdict[int, list[str]] = defaultdict(list)
    rows = dataset.count_rows()
    for index in dataset.describe_indices():
        if only not in (None, *index.field_names):
            continue
        sizes = [part.size_bytes or 0 for part in index.segments]
        indexed = index.num_rows_indexed
        count = plan(sizes, max(0, rows - indexed) * sum(sizes) // max(1, indexed), index.index_type)
        if count is not None:
            by_count[count].append(index.name)
    for count, names in by_count.items():
        # Always with a number: without one Lance splits and joins partitions, and rewrites a whole vector index for a few rows.
        dataset.optimize.optimize_indices(index_names=names, num_indices_to_merge=count)
    return bool(by_count)
