"""The bundled model, really loaded: what vectors mean to everything above."""

from pathlib import Path

import numpy as np
import pytest

from index.embedder import BUNDLED, SentenceTransformerEmbedder, bundled_path
from index.errors import Misconfigured


@pytest.fixture(scope="module")
def model() -> SentenceTransformerEmbedder:
    """Loading takes seconds: once for this file."""
    return SentenceTransformerEmbedder(threads=1)


def test_vectors_have_norm_1_and_the_stated_shape(model: SentenceTransformerEmbedder):
    vectors = model.embed(["Apples grow on trees.", "", "東京 😀"])
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert model.embed([]).shape == (0, 384)


def test_a_question_is_nearest_to_what_answers_it(model: SentenceTransformerEmbedder):
    passages = model.embed(["Apples are harvested in October.", "The parliament has 200 seats.", "Paint dries in a day."])
    assert int(np.argmax(passages @ model.embed_query("When do farmers pick fruit?"))) == 0


def test_a_passage_gets_the_same_vector_alone_and_in_a_batch(model: SentenceTransformerEmbedder):
    texts = ["Apples.", "A much longer sentence about the harvest of apples in October.", "Pears."]
    alone = np.stack([model.embed([text])[0] for text in texts])
    assert np.allclose(model.embed(texts), alone, atol=1e-5)


def test_its_tokenizer_counts_all_of_a_long_text(model: SentenceTransformerEmbedder):
    assert len(model.tokenizer().encode("word " * 1000, add_special_tokens=False).ids) == 1000
    assert (model.name, model.max_tokens) == (BUNDLED, 256)


def test_the_fingerprint_names_the_weights_and_not_the_place(model: SentenceTransformerEmbedder):
    assert SentenceTransformerEmbedder(str(bundled_path())).fingerprint == model.fingerprint
    assert len(model.fingerprint) == 12


def test_a_model_that_is_not_there_says_what_to_set(tmp_path: Path):
    with pytest.raises(Misconfigured, match=r"GROUNDWORK_EMBEDDER=.* can't be loaded: give a sentence-transformers folder"):
        SentenceTransformerEmbedder(str(tmp_path))
