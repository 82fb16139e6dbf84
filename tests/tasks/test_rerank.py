"""Reranking by a real CrossEncoder, made here with random weights."""

from pathlib import Path

import pytest

from index.errors import Misconfigured
from tasks.rerank import CrossEncoderReranker

pytestmark = pytest.mark.slow  # loading the libraries alone takes seconds
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "apples", "pears", "grow"]


def cross_encoder(folder: Path, labels: int) -> str:
    """A BERT of one layer that was never trained."""
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8, "max_position_embeddings": 64}
    BertForSequenceClassification(BertConfig(vocab_size=len(WORDS), num_labels=labels, **size)).save_pretrained(folder)
    BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    return str(folder)


def test_a_cross_encoder_from_a_folder_scores_each_passage(tmp_path: Path):
    reranker = CrossEncoderReranker(cross_encoder(tmp_path / "one", 1))
    scores = reranker.scores("apples", ["apples grow", "pears", "pears " * 500])
    assert len(scores) == 3
    assert all(0 < score < 1 for score in scores)
    assert reranker.scores("apples", ["pears"]) == pytest.approx([scores[1]], abs=1e-5)


def test_a_model_with_several_labels_or_none_at_all_is_refused(tmp_path: Path):
    with pytest.raises(Misconfigured, match="has 3 labels"):
        CrossEncoderReranker(cross_encoder(tmp_path / "three", 3))
    (tmp_path / "empty").mkdir()
    with pytest.raises(Misconfigured, match="can't be loaded as a CrossEncoder"):
        CrossEncoderReranker(str(tmp_path / "empty"))
