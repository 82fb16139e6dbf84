from pathlib import Path

import numpy as np

from evals.bench import corpus, tail
from evals.bench.lifelike import Lifelike
from index.policy import IndexPolicy


def test_searches_while_batches_come_are_compared_with_those_at_rest(tmp_path: Path):
    rng = np.random.default_rng(0)
    vectors = Lifelike(corpus.unit(rng.standard_normal((500, 384))))
    found = tail.measured(tmp_path, vectors, 2_000, 21, IndexPolicy(flat_below=1_000), quiet_s=0.5)
    figures = {(figure.case, figure.metric): figure for figure in found}
    rest, care, neglect = "2,000 rows at rest", "21 batches of 200, folded as it is shipped", "as many that are never folded"
    assert figures[rest, "searches p50"].value > 0
    assert figures[care, "searches p99"].baseline == rest
    assert figures[care, "rows outside of the index"].value == 200
    assert figures[neglect, "rows outside of the index"].value == 4_200
    assert figures[care, "folding p50"].value > 0
    assert (neglect, "folding p50") not in figures
