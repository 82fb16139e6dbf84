"""A real language model that is far too small to judge does not pass the exam."""

import pytest

from evals import planted
from evals.budget import Budget
from evals.exam import examine
from evals.judge import Judge
from tests.fakes import HashingEmbedder
from tests.proofs.small_model import SmallModel, is_installed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.mark.skipif(not is_installed(), reason="make prove fetches the model")
@pytest.mark.filterwarnings("ignore")  # whatever transformers says of a GGUF file
def test_smollm2_is_unqualified():
    with SmallModel() as small:
        judge = Judge(small.url, "SmolLM2-135M-Instruct", budget=Budget(parallel=1, call_seconds=240, seconds=2_400, retries=0))
        held = examine(judge, HashingEmbedder(), pairs=planted.pairs()[::15])
    told = held.figures
    print(held.reasons, told)
    assert not held.qualified
    assert held.interrupted is None
    assert [reason for reason in held.reasons if reason.startswith(("accuracy is", "kappa, at the lower end of its interval is"))]
    assert told["position"]["bias"] == 1.0
    assert told["measured"] > 10
    assert told["tokens"] > 10_000
    assert not told["estimated"]
