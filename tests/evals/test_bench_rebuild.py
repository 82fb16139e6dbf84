from pathlib import Path

import pytest

from evals.bench import rebuild
from evals.bench.platform import RunningPlatform
from evals.bench.rebuild import Pace, measured
from evals.bench.variants import Variants
from tests.api.running import RunningApi

QUICK = Pace(search_s=0.02, document_s=0.1, quiet_s=0.2)
TEXTS = ["the red apple of the old orchard ripens in the autumn", "a blue boat sails around the small island every morning"]


@pytest.mark.slow
def test_a_rebuild_is_timed_and_what_it_lost_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rebuild, "RECIPES", {"to 32 dimensions": {"dimensions": 32}, **rebuild.RECIPES})
    monkeypatch.delitem(rebuild.RECIPES, "to 256 dimensions")
    with RunningApi(tmp_path) as api:
        api.start_ingester()
        platform = RunningPlatform(api.home, f"http://127.0.0.1:{api.port}")
        variants = Variants(TEXTS)
        platform.accept(list(variants.drafts(20, "first")))
        for _ in platform.until_indexed(30, look_s=0.05):
            pass
        figures = measured(platform, variants, QUICK)
        platform.close()
    values = {(figure.case, figure.metric): figure.value for figure in figures}
    few = next(name for name, _ in values if name.endswith("to 32 dimensions"))
    assert (values[few, "failed searches"], values[few, "refused or lost"], values[few, "searches"] > 0) == (0, 0, True)
    assert values[few, "answered by an older release after it"] == 0
    assert any(name.endswith("to passages of 128 tokens") for name, _ in values)
