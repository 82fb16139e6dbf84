"""The index policy: what it decides, and what its file may say."""

from pathlib import Path

import pytest

from index.errors import Misconfigured
from index.policy import IndexPolicy, SearchSettings, index_policy, untuned


@pytest.mark.parametrize(("rows", "partitions"), [(1, 2), (25_000, 128), (100_000, 256), (1_000_000, 1024), (10_000_000, 4096)])
def test_there_are_about_as_many_partitions_as_the_square_root_of_the_rows(rows: int, partitions: int):
    assert IndexPolicy().partitions_for(rows) == partitions


def test_few_rows_want_no_index():
    assert [IndexPolicy(flat_below=100).wants_index(rows) for rows in (99, 100)] == [False, True]


def test_an_index_is_outgrown_at_twice_its_rows():
    assert [IndexPolicy().is_outgrown(rows, made_for=100) for rows in (199, 200)] == [False, True]


def test_an_untuned_index_is_searched_thoroughly():
    assert (untuned(16), untuned(4096)) == (SearchSettings(20, 10), SearchSettings(512, 10))


def test_a_file_changes_what_it_names(tmp_path: Path):
    file = tmp_path / "policy.toml"
    file.write_text("partitions = 64\nrecall_target = 0.9")
    assert index_policy(file) == IndexPolicy(partitions=64, recall_target=0.9)
    assert index_policy(None) == IndexPolicy()


@pytest.mark.parametrize(
    "line",
    ["partitions = 2.5", "partitions = -1", "bits = true", "probes = 3", "vector_bits = 8", 'bits = "1"', "recall_target = nan", "bits ="],
)
def test_a_file_that_can_not_be_used_is_refused_with_the_setting_it_belongs_to(tmp_path: Path, line: str):
    file = tmp_path / "policy.toml"
    file.write_text(line)
    with pytest.raises(Misconfigured, match="GROUNDWORK_INDEX_POLICY"):
        index_policy(file)


@pytest.mark.parametrize(("limit", "factor"), [(10, 20), (1, 200), (100, 2), (150, 2), (1_000, 1)])
def test_a_search_for_more_hits_reads_no_more_vectors_than_one_for_ten(limit: int, factor: int):
    assert SearchSettings(nprobes=8, refine_factor=20).refine_for(limit) == factor


@pytest.mark.parametrize(("share", "probes"), [(1.0, 8), (0.25, 16), (0.01, 80), (0.0, 8), (1e-9, 10_000)])
def test_among_fewer_rows_more_partitions_are_looked_into(share: float, probes: int):
    assert SearchSettings(nprobes=8, refine_factor=20).widened(share) == SearchSettings(probes, 20)
