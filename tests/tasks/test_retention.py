"""Which releases go first when there is no room for all."""

from pathlib import Path

import pytest

from index.errors import Misconfigured
from tasks.retention import Retention, beyond_budget, retention

# Release 3 is the newest; each has a file of its own, and they share "rows".
FILES = {1: {"rows": 100, "a": 10}, 2: {"rows": 100, "b": 20}, 3: {"rows": 100, "c": 30}}


@pytest.mark.parametrize(("budget", "gone"), [(160, []), (159, [1]), (150, [1]), (149, [1, 2]), (1, [1, 2])])
def test_the_oldest_go_until_the_files_of_the_others_fit(budget: int, gone: list[int]):
    assert beyond_budget(FILES, {3}, budget) == gone


def test_what_is_kept_stays_and_the_next_one_goes():
    assert beyond_budget(FILES, {1, 3}, 140) == [2]


def test_a_file_is_free_when_all_that_need_it_are_gone():
    files = {1: {"old": 50}, 2: {"old": 50}, 3: {"new": 50}}
    assert beyond_budget(files, {3}, 50) == [1, 2]
    assert beyond_budget(files, {2, 3}, 50) == []


def test_releases_that_would_free_nothing_are_left():
    files = {1: {"a": 10, "shared": 1}, 2: {"shared": 1}, 3: {"shared": 1, "c": 30}}
    assert beyond_budget(files, {3}, 5) == [1]


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
