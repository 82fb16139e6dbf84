from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest

from evals.bench.figures import Case
from evals.bench.freshness import Pace, at_pace, curve, measured
from evals.bench.paced import PacedSearches
from evals.bench.platform import RunningPlatform
from index.documents import Draft
from tests.api.running import RunningApi

QUICK = Pace(document_s=0.02, single_s=0.05, search_s=0.02, look_s=0.01, settle_s=0, quiet_s=0.1)
TEXTS = ["the red apple of the old orchard ripens in the autumn", "a blue boat sails around the small island every morning"]


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[RunningPlatform]:
    with RunningApi(tmp_path) as api:
        api.start_ingester()
        platform = RunningPlatform(api.home, f"http://127.0.0.1:{api.port}")
        yield platform
        platform.close()


@pytest.mark.slow
def test_documents_are_found_at_a_steady_pace_and_beside_a_bulk_load(platform: RunningPlatform):
    figures = measured(platform, TEXTS, documents=4, bulk=6, pace=QUICK)
    values = {(figure.case.split(",")[0], figure.metric): figure.value for figure in figures}
    assert 0 < values["4 documents at 180", "p50"] <= values["4 documents at 180", "p99"] < 60
    assert values["4 documents at 180", "not found within 60 s"] == 0
    assert values["the same", "p50"] > 0
    assert values["one document every 0.05 s", "not found within 60 s"] == 0
    assert values["searches while 6 documents go in in bulk", "failed searches"] == 0
    [busy] = [figure for figure in figures if figure.metric == "p99" and figure.unit == "ms" and figure.ratio]
    assert busy.baseline == "searches of the idle platform"


def test_what_waits_for_its_turn_counts_from_when_it_was_due():
    def send(_: Draft) -> float:
        sleep(0.1)
        return 0.0

    first, second = at_pace([Draft("a"), Draft("b")], 0.0, send, at_once=1)
    assert first < 0.05
    assert second >= 0.1


def test_searches_that_fail_are_counted(tmp_path: Path):
    (tmp_path / "admin.key").write_text("key")
    nobody = RunningPlatform(tmp_path, "http://127.0.0.1:1")
    with PacedSearches(nobody, ["anything"], 0.01) as searches:
        sleep(0.1)
    nobody.close()
    assert searches.failed
    assert not searches.seconds


def test_a_document_that_is_never_found_is_counted_as_a_minute():
    figures = {figure.metric: figure.value for figure in curve(Case("freshness", "a case"), [0.5, 0.5, 60.0])}
    assert figures["p50"] == 0.5
    assert figures["slowest"] == 60
    assert figures["not found within 60 s"] == 1
