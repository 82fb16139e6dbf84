"""When a chunk table gets a vector index, and which: data that one can read and override (pure)."""

from dataclasses import dataclass, replace
from math import ceil, log2, sqrt
from pathlib import Path

from index.errors import Misconfigured
from index.overrides import overridden
from index.vectors import FULL_PRECISION, HALF_PRECISION


@dataclass(frozen=True, slots=True)
class IndexPolicy:
    """What may be changed, with the name that each has in the file of `GROUNDWORK_INDEX_POLICY`.

    Attributes:
        flat_below: rows below which every search looks at each of them: exact, and quick enough.
        partitions: of the index; 0: the power of two next to the square root of the rows.
        bits: of each dimension in the index, at least 1 (RaBitQ: Gao and Long, SIGMOD 2024).
        vector_bits: of each number of a stored vector, 16 or 32; with another one a new generation is made.
        sampled_per_partition: vectors that the centres of the partitions are trained on.
        retrain_growth: the index is made anew when there are so many times the rows that it was made for.
        recall_target: recall@10 that the search settings must reach, at the lower end of its 95 % interval.
        retune_growth: the search settings are looked for anew when there are so many times the rows that they were found for.
    """

    flat_below: int = 25_000
    partitions: int = 0
    bits: int = 2
    vector_bits: int = HALF_PRECISION
    sampled_per_partition: int = 64
    retrain_growth: float = 2.0
    recall_target: float = 0.95
    retune_growth: float = 1.2

    def partitions_for(self, rows: int) -> int:
        """How many partitions an index of so many rows has."""
        return self.partitions or 1 << round(log2(max(2.0, sqrt(rows))))

    def wants_index(self, rows: int) -> bool:
        """Whether so many rows need an index."""
        return rows >= self.flat_below

    def is_outgrown(self, rows: int, made_for: int) -> bool:
        """Whether an index made for so many rows should be made anew."""
        return rows >= made_for * self.retrain_growth


# Searches are tuned for so many hits.
TUNED_FOR = 10
MOST_PROBES = 10_000


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How thoroughly an index is searched: partitions that are looked into, and rows whose own vectors are read for each of 10 hits."""

    nprobes: int
    refine_factor: int

    def widened(self, share: float) -> "SearchSettings":
        """For a search among a share (0 to 1) of the rows.

        Of those the nearest are as far away as the nearest `10 / share` of all: they lie in more partitions. The root was measured
        (docs/search.md); there are few to compare in each.
        """
        return replace(self, nprobes=min(MOST_PROBES, ceil(self.nprobes / sqrt(share)))) if share > 0 else self

    def refine_for(self, limit: int) -> int:
        """The refine factor of a search for so many hits: as many vectors are read as for 10, or one for each hit where that is more."""
        return max(1, -(-self.refine_factor * TUNED_FOR // limit))


def untuned(partitions: int) -> SearchSettings:
    """Settings for an index of which nothing was measured yet: thorough rather than quick."""
    return SearchSettings(nprobes=max(20, partitions // 8), refine_factor=10)


def index_policy(file: Path | None) -> IndexPolicy:
    """That of a TOML file, and the defaults of what it leaves out; raises `Misconfigured` when it can't be used."""
    policy = overridden(IndexPolicy, file, "GROUNDWORK_INDEX_POLICY")
    if policy.vector_bits not in (HALF_PRECISION, FULL_PRECISION):
        raise Misconfigured(f"GROUNDWORK_INDEX_POLICY: vector_bits = {policy.vector_bits} is not {HALF_PRECISION} or {FULL_PRECISION}")
    return policy
