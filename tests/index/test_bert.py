"""BERT as few operations, beside transformers' own: small models with random weights, of every family."""

import pytest
import torch
from torch.nn.functional import normalize
from transformers import (
    BertConfig,
    BertModel,
    CamembertConfig,
    CamembertModel,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from index.bert import Bert
from index.model_folder import BertShape, Pooling

SMALL = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
}
FAMILIES = {
    "bert": (BertModel, BertConfig(**SMALL), 0),
    "roberta": (RobertaModel, RobertaConfig(**SMALL, pad_token_id=1), 2),
    "xlm-roberta": (XLMRobertaModel, XLMRobertaConfig(**SMALL, pad_token_id=1), 2),
    "camembert": (CamembertModel, CamembertConfig(**SMALL, pad_token_id=1), 2),
}
IDS = torch.tensor([[5, 17, 42, 9, 33], [7, 8, 9, 1, 1], [3, 1, 1, 1, 1]])
LENGTHS = torch.tensor([5, 3, 1])


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("family", FAMILIES)
def test_it_gives_the_vectors_of_transformers(family: str, pooling: Pooling, packed: bool):
    make, config, first_position = FAMILIES[family]
    torch.manual_seed(1)
    model = make(config).eval()
    for weights in model.parameters():
        torch.nn.init.normal_(weights, std=0.5)
    shape = BertShape(2, 32, 4, config.layer_norm_eps, first_position, pooling)
    real = torch.arange(5) < LENGTHS[:, None]
    with torch.inference_mode():
        tokens = model(input_ids=IDS.where(real, config.pad_token_id), attention_mask=real.long()).last_hidden_state
        expected = tokens[:, 0] if pooling == "cls" else (tokens * real[..., None]).sum(1)
        found = Bert(shape, model.state_dict(), torch.float32, packed=packed)(IDS, LENGTHS)
    assert torch.allclose(found, normalize(expected, dim=1), atol=1e-5)
