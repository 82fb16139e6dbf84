"""BERT-like encoders as the few operations that they are, for weights that are packed for the machine's matrix unit.

The forward of transformers spends a third of a CPU's time beside its matrix products: three projections in place of one, the
weights laid out anew for each product, a slow attention for short texts, activations and sums in passes of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from index.model_folder import BertShape

# oneDNN packs weights for products of about so many rows; any number works.
ROWS_EXPECTED = 1024


class Linear(Protocol):
    """A linear layer together with what follows it in a BERT."""

    def plain(self, x: Tensor) -> Tensor:
        """The product and the bias."""
        ...

    def gelu(self, x: Tensor) -> Tensor:
        """The same, through GELU."""
        ...

    def add(self, x: Tensor, residual: Tensor) -> Tensor:
        """The same, with the residual added."""
        ...


class PlainLinear:
    """By torch's public functions."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self._weight, self._bias = weight, bias

    def plain(self, x: Tensor) -> Tensor:
        """The product and the bias."""
        return functional.linear(x, self._weight, self._bias)

    def gelu(self, x: Tensor) -> Tensor:
        """The same, through GELU."""
        return functional.gelu(self.plain(x))

    def add(self, x: Tensor, residual: Tensor) -> Tensor:
        """The same, with the residual added."""
        return self.plain(x).add_(residual)


class PackedLinear:
    """By the oneDNN operations that torch's compiler emits: weights packed once, activation and residual in the same pass.

    They aren't public and may be missing or change; whoever uses them checks the vectors and has another kernel at hand.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        packing = torch.ops.mkldnn
        self._pointwise, self._bias = packing._linear_pointwise, bias  # noqa: SLF001 - the operation's registered name
        self._binary = self._pointwise.binary
        self._weight = packing._reorder_linear_weight(weight, ROWS_EXPECTED)  # noqa: SLF001 - the operation's registered name

    def plain(self, x: Tensor) -> Tensor:
        """The product and the bias."""
        return self._pointwise(x, self._weight, self._bias, "none", [], "")

    def gelu(self, x: Tensor) -> Tensor:
        """The same, through GELU."""
        return self._pointwise(x, self._weight, self._bias, "gelu", [], "none")

    def add(self, x: Tensor, residual: Tensor) -> Tensor:
        """The same, with the residual added."""
        return self._binary(x, residual, self._weight, self._bias, "add")


@dataclass(frozen=True, slots=True)
class Norm:
    """Layer normalisation."""

    weight: Tensor
    bias: Tensor
    eps: float

    def __call__(self, x: Tensor) -> Tensor:
        """The rows, normalised."""
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


@dataclass(frozen=True, slots=True)
class Layer:
    """One encoder layer. `qkv` gives queries (scaled already), keys and values at once."""

    qkv: Linear
    out: Linear
    out_norm: Norm
    up: Linear
    down: Linear
    down_norm: Norm

    def __call__(self, x: Tensor, texts: int, heads: int, mask: Tensor | None) -> Tensor:
        """Tokens in and out of shape (texts * tokens, hidden)."""
        x = self.out_norm(self.out.add(self._attended(x, texts, heads, mask), x))
        return self.down_norm(self.down.add(self.up.gelu(x), x))

    def _attended(self, x: Tensor, texts: int, heads: int, mask: Tensor | None) -> Tensor:
        tokens, hidden = len(x) // texts, x.shape[1]
        qkv = self.qkv.plain(x).view(texts, tokens, 3, heads, hidden // heads).permute(2, 0, 3, 1, 4).contiguous()
        query, key, value = qkv.view(3, texts * heads, tokens, hidden // heads).unbind(0)
        keys = key.transpose(1, 2)
        scores = torch.bmm(query, keys) if mask is None else torch.baddbmm(mask, query, keys)
        # For short texts two plain products beat torch's flash attention on a CPU: 2.5 against 4.3 ms for 8 of 128 tokens.
        attended = torch.bmm(torch.softmax(scores, dim=-1), value)
        return attended.view(texts, heads, tokens, hidden // heads).transpose(1, 2).reshape(texts * tokens, hidden)


class Bert:
    """An encoder from its weights, named as transformers names them, in one precision."""

    def __init__(self, shape: BertShape, weights: Mapping[str, Tensor], precision: torch.dtype, *, packed: bool) -> None:
        self.shape = shape
        self._weights, self._precision = weights, precision
        self._linear = PackedLinear if packed else PlainLinear
        self._words = self._get("embeddings.word_embeddings.weight")
        # Each text is one segment: the embedding of segment 0 goes with all positions.
        segment = weights["embeddings.token_type_embeddings.weight"][0]
        self._positions = (weights["embeddings.position_embeddings.weight"] + segment).to(precision)
        self._norm = self._norm_of("embeddings.LayerNorm")
        self._layers = [self._layer(f"encoder.layer.{number}.") for number in range(shape.layers)]
        del self._weights

    def __call__(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Unit vectors, float32, of shape (texts, hidden), of padded token ids and the number of tokens of each text."""
        texts, tokens = ids.shape
        first = self.shape.first_position
        x = functional.embedding(ids, self._words) + self._positions[first : first + tokens]
        x = self._norm(x).view(texts * tokens, self.shape.hidden)
        real = torch.arange(tokens) < lengths[:, None]
        mask = None if bool(real.all()) else self._mask(real)
        for layer in self._layers:
            x = layer(x, texts, self.shape.heads, mask)
        return functional.normalize(self._pooled(x.view(texts, tokens, self.shape.hidden).float(), real), dim=1)

    def _mask(self, real: Tensor) -> Tensor:
        """What is added to the scores: minus infinity for padding; of shape (texts * heads, 1, tokens)."""
        blocked = torch.zeros(real.shape, dtype=self._precision).masked_fill_(~real, float("-inf"))
        return blocked.repeat_interleave(self.shape.heads, dim=0)[:, None, :]

    def _pooled(self, x: Tensor, real: Tensor) -> Tensor:
        return x[:, 0] if self.shape.pooling == "cls" else (x * real[..., None]).sum(dim=1)

    def _layer(self, name: str) -> Layer:
        scale = (self.shape.hidden // self.shape.heads) ** -0.5
        parts = {
            part: [self._weights[f"{name}attention.self.{part}.{kind}"] for kind in ("weight", "bias")]
            for part in ("query", "key", "value")
        }
        parts["query"] = [scale * tensor for tensor in parts["query"]]
        weight, bias = (torch.cat([parts[part][kind] for part in ("query", "key", "value")]) for kind in (0, 1))
        return Layer(
            qkv=self._linear(weight.to(self._precision), bias.to(self._precision)),
            out=self._linear_of(f"{name}attention.output.dense"),
            out_norm=self._norm_of(f"{name}attention.output.LayerNorm"),
            up=self._linear_of(f"{name}intermediate.dense"),
            down=self._linear_of(f"{name}output.dense"),
            down_norm=self._norm_of(f"{name}output.LayerNorm"),
        )

    def _linear_of(self, name: str) -> Linear:
        return self._linear(self._get(f"{name}.weight"), self._get(f"{name}.bias"))

    def _norm_of(self, name: str) -> Norm:
        return Norm(self._get(f"{name}.weight"), self._get(f"{name}.bias"), self.shape.norm_eps)

    def _get(self, name: str) -> Tensor:
        return self._weights[name].to(self._precision).contiguous()
