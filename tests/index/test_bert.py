"""BERT as few operations, beside transformers' own: small models with random weights, of every family."""

import pytest

from index.model_folder import BertShape, Pooling

pytestmark = pytest.mark.thorough

SMALL = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
}
# The name in transformers, the token that pads, the first position.
FAMILIES = {"bert": ("Bert", 0, 0), "roberta": ("Roberta", 1, 2), "xlm-roberta": ("XLMRoberta", 1, 2), "camembert": ("Camembert", 1, 2)}
IDS = [[5, 17, 42, 9, 33], [7, 8, 9, 1, 1], [3, 1, 1, 1, 1]]
LENGTHS = [5, 3, 1]


@pytest.mark.parametrize("rows", [15, 12, 9])  # of 15 tokens 9 are no padding
@pytest.mark.parametrize(("linear", "off"), [("PackedLinear", 1e-5), ("PlainLinear", 1e-5), ("HalfLinear", 5e-3)])
@pytest.mark.parametrize("kind", ["FlatBert", "PaddedBert"])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("family", FAMILIES)
def test_it_gives_the_vectors_of_transformers(family: str, pooling: Pooling, kind: str, linear: str, off: float, rows: int):
    # They take seconds to import: only where this runs, not wherever tests are collected.
    import torch
    import transformers
    from torch.nn.functional import normalize

    from index import bert

    name, pad, first_position = FAMILIES[family]
    config = getattr(transformers, f"{name}Config")(**SMALL, pad_token_id=pad)
    ids, lengths = torch.tensor(IDS), torch.tensor(LENGTHS)
    torch.manual_seed(1)
    model = getattr(transformers, f"{name}Model")(config).eval()
    for weights in model.parameters():
        torch.nn.init.normal_(weights, std=0.5)
    shape = BertShape(2, 32, 4, config.layer_norm_eps, first_position, pooling)
    real = torch.arange(5) < lengths[:, None]
    with torch.inference_mode():
        tokens = model(input_ids=ids.where(real, pad), attention_mask=real.long()).last_hidden_state
        expected = tokens[:, 0] if pooling == "cls" else (tokens * real[..., None]).sum(1)
        found = getattr(bert, kind)(shape, model.state_dict(), torch.float32, getattr(bert, linear))(ids, lengths, rows)
    assert torch.allclose(found, normalize(expected, dim=1), atol=off)
