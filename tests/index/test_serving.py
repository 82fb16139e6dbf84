from pathlib import Path

import pytest

from index.errors import Misconfigured
from index.serving import Serving, serving


def test_without_a_file_the_defaults_hold():
    assert serving(None) == Serving()


def test_a_file_changes_what_it_names(tmp_path: Path):
    (tmp_path / "serving.toml").write_text("search_seconds = 2.5\n")
    assert serving(tmp_path / "serving.toml") == Serving(search_seconds=2.5)


def test_a_wrong_value_is_refused_by_name(tmp_path: Path):
    (tmp_path / "serving.toml").write_text('answer_seconds = "long"\n')
    with pytest.raises(Misconfigured, match="GROUNDWORK_SERVING: answer_seconds = 'long' is not a number of 0 or more"):
        serving(tmp_path / "serving.toml")


def test_no_worker_at_all_is_refused(tmp_path: Path):
    (tmp_path / "serving.toml").write_text("workers = 0\n")
    with pytest.raises(Misconfigured, match="GROUNDWORK_SERVING: workers = 0 serves nobody"):
        serving(tmp_path / "serving.toml")
