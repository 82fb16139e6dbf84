"""The bundled model, really loaded: what vectors mean to everything above, and how it starts."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from index.embedder import BUNDLED, Embedder, bundled_path, open_embedder
from index.engine import Library, in_order
from index.errors import Misconfigured
from index.kernel_choice import Choice
from index.library_start import LIBRARY_KERNEL, library_start
from index.local_embedder import CHOICES_FILE

pytestmark = pytest.mark.thorough

TEXTS = ["Apples.", "A much longer sentence about the harvest of apples in October.", "Pears.", "", "東京 😀", "word " * 1000]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def model(home: Path) -> Embedder:
    """A first start takes seconds: once for this file."""
    return open_embedder(None, home, threads=2)


def test_vectors_have_norm_1_and_the_stated_shape(model: Embedder):
    vectors = model.embed(["Apples grow on trees.", "", "東京 😀"])
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert model.embed([]).shape == (0, 384)


def test_a_question_is_nearest_to_what_answers_it(model: Embedder):
    passages = model.embed(["Apples are harvested in October.", "The parliament has 200 seats.", "Paint dries in a day."])
    assert int(np.argmax(passages @ model.embed_query("When do farmers pick fruit?"))) == 0


def test_a_passage_gets_the_same_vector_alone_and_in_a_batch(model: Embedder):
    alone = np.stack([model.embed([text])[0] for text in TEXTS])
    asked = np.stack([model.embed_query(text) for text in TEXTS])
    assert (model.embed(TEXTS) * alone).sum(axis=1).min() > 0.9999
    assert (asked * alone).sum(axis=1).min() > 0.9999


def test_vectors_are_those_of_the_library(model: Embedder):
    as_it_is = Choice(model.fingerprint, 384, 256, "", 0, folder_tokenizer=False, kernel=LIBRARY_KERNEL, cosine=1.0)
    engine, _, _ = library_start(BUNDLED, str(bundled_path()), None, 1, as_it_is)
    assert isinstance(engine, Library)
    assert (in_order(engine.stream(TEXTS), len(TEXTS), 384) * model.embed(TEXTS)).sum(axis=1).min() > 0.999
    assert engine.question("Apples.") @ model.embed_query("Apples.") > 0.999


def test_a_stream_gives_each_text_once_and_may_be_left(model: Embedder):
    texts = [f"Passage number {number} is about the harvest. " * 20 for number in range(40)]
    slices = list(model.embed_stream(texts))
    assert len(slices) > 3
    assert sorted(np.concatenate([places for places, _ in slices]).tolist()) == list(range(40))
    vectors = in_order(slices, 40, 384)
    assert (vectors * model.embed(texts)).sum(axis=1).min() > 0.9999
    places, first = next(iter(model.embed_stream(texts)))
    assert np.allclose(first, vectors[places], atol=1e-2)


def test_its_tokenizer_counts_all_of_a_long_text(model: Embedder):
    assert len(model.tokenizer().encode("word " * 1000, add_special_tokens=False).ids) == 1000
    assert (model.name, model.max_tokens) == (BUNDLED, 256)


def test_the_fingerprint_names_the_weights_and_neither_the_place_nor_the_kernel(model: Embedder, home: Path):
    assert len(model.fingerprint) == 12
    assert open_embedder(str(bundled_path()), home, threads=2).fingerprint == model.fingerprint


def test_the_next_start_takes_the_remembered_kernel_and_gives_the_same_vectors(
    model: Embedder, home: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, logger="groundwork.embedder")
    again = open_embedder(None, home, threads=2)
    assert (again.kernel, again.fingerprint, again.max_tokens) == (model.kernel, model.fingerprint, 256)
    assert (again.embed(TEXTS) * model.embed(TEXTS)).sum(axis=1).min() > 0.9999
    assert [record.message for record in caplog.records] == [f"{BUNDLED} {model.fingerprint} runs on the kernel “{model.kernel}”, 2 cores"]


def test_what_was_measured_is_on_record(model: Embedder, home: Path):
    (choice,) = json.loads((home / CHOICES_FILE).read_text()).values()
    assert (choice["kernel"], choice["fingerprint"]) == (model.kernel, model.fingerprint)
    assert choice["cosine"] >= 0.999


def test_a_model_that_is_not_there_says_what_to_set(tmp_path: Path):
    with pytest.raises(Misconfigured, match=r"GROUNDWORK_EMBEDDER=.* can't be loaded: give a sentence-transformers folder"):
        open_embedder(str(tmp_path))


def test_a_service_needs_the_name_of_its_model():
    with pytest.raises(Misconfigured, match="name the service's model in GROUNDWORK_EMBEDDER"):
        open_embedder(None, url="http://127.0.0.1:1/v1")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_is_flat_however_much_is_embedded(model: Embedder):
    texts = [f"Passage {number}: " + "the harvest of apples begins in October. " * (1 + number % 9) for number in range(20_000)]
    resident, done = [], 0
    for places, _ in model.embed_stream(texts):
        done += len(places)
        resident.append((done, int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20))
    early = max(mib for count, mib in resident if count <= 5_000)
    assert max(mib for _, mib in resident) - early < 50
