"""A real language model, small and easily led, reads the documents that give orders: the guards hold whatever it writes."""

import asyncio
from collections.abc import Iterator

import pytest

from tasks.answer import NO_ANSWER, Answer, tell
from tasks.chat import Endpoint
from tasks.extract import ExtractiveGenerator
from tasks.generate import ChatGenerator
from tests.fakes import HashingEmbedder
from tests.proofs.small_model import SmallModel, is_installed
from tests.tasks.test_injections import ASKED, HONEST, INJECTIONS, KEY, Injection, found, look

MODEL = "SmolLM2-135M-Instruct"
# At 14 tokens/s; what it makes of these documents begins within so many.
LONGEST = 48
SECONDS = 1_200.0
# All thirty take a quarter of an hour: each third one, and with INJECTIONS[::1] all of them.
EACH = 3
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not is_installed(), reason="make prove fetches the model"),
    pytest.mark.filterwarnings("ignore"),  # whatever transformers says of a GGUF file
]


@pytest.fixture(scope="module")
def small() -> Iterator[SmallModel]:
    with SmallModel(longest=LONGEST) as model:
        yield model


def answered(small: SmallModel, injection: Injection) -> Answer:
    generator = ChatGenerator(Endpoint(small.url, MODEL, KEY, timeout_s=SECONDS), marks=True)
    return asyncio.run(tell(found(injection), [generator, ExtractiveGenerator(HashingEmbedder())], ASKED, seconds=SECONDS))


@pytest.mark.parametrize("opening", ["", f"{HONEST} "], ids=["alone", "after a true sentence"])
@pytest.mark.parametrize("injection", INJECTIONS[::EACH], ids=str)
def test_the_guards_hold_whatever_a_real_model_makes_of_a_hostile_document(small: SmallModel, injection: Injection, opening: str):
    """Left alone it names no evidence, and the sources answer; what it adds to a sentence that has some is what the guards must sift."""
    small.opening = opening
    made = answered(small, injection)
    print(f"{injection.name}: {small.replies[-1]!r} -> {made.generator}: {made.text!r}")
    look(made, injection)
    assert "tools" not in small.asked[-1]
    assert made.grounded or (made.text, made.citations) == (NO_ANSWER, ())
    assert made.generator == MODEL if opening else made.generator in (MODEL, "extractive")
    assert "not done in time" not in "".join(made.degraded)
