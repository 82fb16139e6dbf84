"""A running API that most tests share, and one of its own for a test that moves what is live."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.running import RunningApi


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    """With an ingester and some documents. Tests put documents of their own and leave the live release alone."""
    with RunningApi(tmp_path_factory.mktemp("api")) as running:
        running.start_ingester()
        running.put("mine", "The great copper mine is in Falun.", metadata={"lang": "en"})
        yield running


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RunningApi]:
    """Without an ingester: nothing is released until the test starts one."""
    with RunningApi(tmp_path) as running:
        yield running
