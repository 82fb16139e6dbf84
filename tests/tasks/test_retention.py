"""Which releases go first when there is no room for all."""

from pathlib import Path

import pytest

from index.errors import Misconfigured
from tasks.retention import Retention, oldest_to_free, retention, spread

# Release 3 is the newest; each has a file of its own, and they share "rows".
FILES = {1: {"rows": 100, "a": 10}, 2: {"rows": 100, "b": 20}, 3: {"rows": 100, "c": 30}}


@pytest.mark.parametrize(("excess", "up_to"), [(0, 0), (1, 1), (10, 1), (11, 2), (1_000, 2)])
def test_the_oldest_go_until_enough_is_free(excess: int, up_to: int):
    assert oldest_to_free(FILES, {3}, excess) == up_to


def test_what_is_kept_stays_and_the_next_one_goes():
    assert oldest_to_free(FILES, {1, 3}, 15) == 2


def test_a_file_is_free_when_all_that_need_it_are_gone():
    files = {1: {"old": 50}, 2: {"old": 50}, 3: {"new": 50}}
    assert oldest_to_free(files, {3}, 50) == 2
    assert oldest_to_free(files, {2, 3}, 50) == 0


def test_releases_that_would_free_nothing_are_left():
    files = {1: {"a": 10, "shared": 1}, 2: {"shared": 1}, 3: {"shared": 1, "c": 30}}
    assert oldest_to_free(files, {3}, 100) == 1


@pytest.mark.parametrize(("numbers", "some"), [([], []), ([4, 7], [4, 7]), ([1, 2, 3, 4, 5, 6, 9], [1, 4, 9])])
def test_some_are_looked_at_the_first_and_the_last_among_them(numbers: list[int], some: list[int]):
    assert spread(numbers, 3) == some


def test_small_tables_have_room():
    assert Retention().budget(1_000_000) == 200e6
    assert Retention().budget(1_000_000_000) == 2e9
    assert Retention(disk_ratio=0).budget(1_000_000_000) == float("inf")


def test_the_rules_come_from_a_file(tmp_path: Path):
    file = tmp_path / "retention.toml"
    file.write_text("last = 5\nhourly_days = 0.5\n")
    assert retention(file) == Retention(last=5, hourly_days=0.5)
    file.write_text("last = 5.5")
    with pytest.raises(Misconfigured, match="GROUNDWORK_RETENTION"):
        retention(file)
