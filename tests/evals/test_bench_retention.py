from pathlib import Path

import pytest

from evals.bench.retention import measured

pytestmark = pytest.mark.thorough


def test_each_release_that_is_kept_shows_the_documents_of_its_time(tmp_path: Path):
    found = {figure.metric: figure.value for figure in measured(tmp_path, 6, fold_every=2)}
    assert (found["kept releases that are wrong or fail"], found["releases"] >= 7, found["releases kept"] >= 7) == (0, True, True)
    assert found["disk"] > 0
