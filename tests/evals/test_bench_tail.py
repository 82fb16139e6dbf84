from pathlib import Path

import numpy as np
import pytest

from evals.bench import corpus, tail
from evals.bench.lifelike import Lifelike
from index.policy import IndexPolicy


@pytest.mark.slow
def test_searches_while_batches_come_are_compared_with_those_at_rest(tmp_path: Path):
    rng = np.random.default_rng(0)
    vectors = Lifelike(corpus.unit(rng.standard_normal((500, 384))))
    pace = tail.Pace(passages=5, fold_every=3, quiet_s=0.5)
    found = tail.measured(tmp_path, vectors, 1_200, 4, IndexPolicy(flat_below=1_000), pace)
    figures = {(figure.case, figure.metric): figure for figure in found}
    rest, care, neglect = "1,200 rows at rest", "4 batches of 5, folded as it is shipped", "4 batches of 5 that are never folded"
    assert figures[rest, "searches p50"].value > 0
    assert figures[care, "searches p99"].baseline == rest
    assert figures[care, "rows outside of the index"].value in (0, 5)  # the last batch, unless it came while the others were folded
    assert figures[neglect, "rows outside of the index"].value == 20
    assert figures[care, "folding p50"].value > 0
    assert (neglect, "folding p50") not in figures
