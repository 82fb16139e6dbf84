import pytest

from evals.bench.corpus import ModellessEmbedder, TrustingContract
from evals.bench.pipeline import measured
from tasks.chunk import Chunker
from tasks.prepare import Tools

TEXT = "# Apples\n\nThe red apple of the old orchard.\n\n## Boats\n\nThe blue boat sails.\n"


def test_the_steps_of_the_pipeline_are_all_of_its_time():
    embedder = ModellessEmbedder()
    tools = Tools(embedder, Chunker(embedder.tokenizer(), embedder.max_tokens), TrustingContract())
    whole, *steps = measured([TEXT], 5, embedder, tools)
    assert whole.case == "5 passages of Markdown, without the embedder"
    assert whole.value == pytest.approx(sum(step.value for step in steps))
    assert {"a passage, sweep", "a passage, chunk", "a passage, dedupe", "a passage, publish"} < {step.metric for step in steps}
    assert [step.value for step in steps] == sorted((step.value for step in steps), reverse=True)
