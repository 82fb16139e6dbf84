"""What the files of a model say about it."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from index.model_folder import BertShape, bert_shape, bundled_path, digest, model_folder

BERT = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "num_hidden_layers": 6,
    "hidden_size": 384,
    "num_attention_heads": 12,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
}
PLAIN = ("Transformer", "Pooling", "Normalize")


def folder_of(path: Path, config: Mapping[str, Any], pooling: Mapping[str, Any], modules: tuple[str, ...] = PLAIN) -> Path:
    (path / "1_Pooling").mkdir()
    (path / "config.json").write_text(json.dumps(config))
    (path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    places = ["", "1_Pooling", "2", "3"]
    (path / "modules.json").write_text(
        json.dumps([{"path": place, "type": f"sentence_transformers.models.{kind}"} for place, kind in zip(places, modules, strict=False)])
    )
    return path


def test_the_bundled_model_is_a_bert_with_mean_pooling():
    assert bert_shape(bundled_path()) == BertShape(layers=6, hidden=384, heads=12, norm_eps=1e-12, first_position=0, pooling="mean")


@pytest.mark.parametrize(
    ("pooling", "found"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({"pooling_mode_cls_token": True, "include_prompt": True}, "cls"),
        ({"pooling_mode": "mean", "include_prompt": True}, "mean"),
    ],
)
def test_pooling_is_read_in_its_old_and_new_form(tmp_path: Path, pooling: Mapping[str, Any], found: str):
    shape = bert_shape(folder_of(tmp_path, BERT, pooling))
    assert shape
    assert shape.pooling == found


def test_positions_of_a_roberta_begin_after_its_padding(tmp_path: Path):
    shape = bert_shape(folder_of(tmp_path, BERT | {"model_type": "xlm-roberta", "pad_token_id": 1}, {"pooling_mode_mean_tokens": True}))
    assert shape
    assert shape.first_position == 2


@pytest.mark.parametrize(
    ("config", "pooling", "modules"),
    [
        (BERT | {"model_type": "mpnet"}, {"pooling_mode_mean_tokens": True}, PLAIN),
        (BERT | {"hidden_act": "gelu_new"}, {"pooling_mode_mean_tokens": True}, PLAIN),
        (BERT | {"position_embedding_type": "relative_key"}, {"pooling_mode_mean_tokens": True}, PLAIN),
        (BERT, {"pooling_mode_max_tokens": True}, PLAIN),
        (BERT, {"pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": True}, PLAIN),
        (BERT, {"pooling_mode_mean_tokens": True}, ("Transformer", "Pooling", "Dense", "Normalize")),
    ],
)
def test_other_models_are_left_to_the_library(
    tmp_path: Path, config: Mapping[str, Any], pooling: Mapping[str, Any], modules: tuple[str, ...]
):
    assert bert_shape(folder_of(tmp_path, config, pooling, modules)) is None


def test_the_digest_is_of_the_content_and_not_of_the_place(tmp_path: Path):
    (tmp_path / "a").mkdir()
    first = folder_of(tmp_path / "a", BERT, {"pooling_mode_mean_tokens": True})
    (first / "README.md").write_text("words about it")
    second = Path(shutil.copytree(first, tmp_path / "b"))
    (second / "README.md").write_text("other words")
    assert digest(first) == digest(second)
    (second / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    assert digest(first) != digest(second)


def test_a_name_that_is_no_folder_has_to_be_downloaded(tmp_path: Path):
    assert model_folder(None) == bundled_path()
    assert model_folder("intfloat/e5-small-v2") is None
    assert model_folder(str(tmp_path)) is None
