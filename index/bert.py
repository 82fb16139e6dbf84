"""BERT-like encoders as the few operations that they are, for weights that are packed for the machine's matrix unit.

The forward of transformers spends a third of a CPU's time beside its matrix products: three projections in place of one, the
weights laid out anew for each product, a slow attention for short texts, activations and sums in passes of their own.

What is written here stays within what TorchScript understands, and runs as one program that holds no lock of the interpreter: the
120 operations of a short question would otherwise each wait for whatever other thread of the process runs Python at the moment.
"""

import warnings
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from index.model_folder import BertShape

# oneDNN packs weights for products of about so many rows; any number works.
ROWS_EXPECTED = 1024


class PlainLinear(nn.Module):
    """A linear layer together with what follows it in a BERT, by torch's public functions."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Buffer(weight), nn.Buffer(bias)

    def plain(self, x: Tensor) -> Tensor:
        """The product and the bias."""
        return functional.linear(x, self.weight, self.bias)

    def gelu(self, x: Tensor) -> Tensor:
        """The same, through GELU."""
        return functional.gelu(self.plain(x))

    def add(self, x: Tensor, residual: Tensor) -> Tensor:
        """The same, with the residual added."""
        return self.plain(x).add_(residual)


class PackedLinear(nn.Module):
    """By the oneDNN operations that torch's compiler emits: weights packed once, activation and residual in the same pass.

    They aren't public and may be missing or change; whoever uses them checks the vectors and has another kernel at hand.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, ROWS_EXPECTED)  # noqa: SLF001 - the operation's registered name
        self.weight, self.bias = nn.Buffer(packed), nn.Buffer(bias)

    def plain(self, x: Tensor) -> Tensor:
        """The product and the bias."""
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")  # noqa: SLF001 - as above

    def gelu(self, x: Tensor) -> Tensor:
        """The same, through GELU."""
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "gelu", [], "none")  # noqa: SLF001 - as above

    def add(self, x: Tensor, residual: Tensor) -> Tensor:
        """The same, with the residual added."""
        return torch.ops.mkldnn._linear_pointwise(x, residual, self.weight, self.bias, "add")  # noqa: SLF001 - as above


class HalfLinear(nn.Module):
    """Weights packed as float16, all else float32, by FBGEMM: for processors without instructions for small numbers.

    A question of some ten tokens takes as long as reading the weights takes, and these are half as large.
    Weights beyond 65,504 are cut there.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.packed = torch.ops.quantized.linear_prepack_fp16(weight, bias)

    def plain(self, x: Tensor) -> Tensor:
        """The product and the bias."""
        return torch.ops.quantized.linear_dynamic_fp16(x, self.packed)

    def gelu(self, x: Tensor) -> Tensor:
        """The same, through GELU."""
        return functional.gelu(self.plain(x))

    def add(self, x: Tensor, residual: Tensor) -> Tensor:
        """The same, with the residual added."""
        return self.plain(x).add_(residual)


Linear = PlainLinear | PackedLinear | HalfLinear


class Norm(nn.Module):
    """Layer normalisation."""

    def __init__(self, weight: Tensor, bias: Tensor, eps: float) -> None:
        super().__init__()
        self.weight, self.bias = nn.Buffer(weight), nn.Buffer(bias)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """The rows, normalised."""
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


class Layer(nn.Module):
    """One encoder layer, but for its attention. `qkv` gives queries (scaled already), keys and values at once."""

    def __init__(self, qkv: Linear, out: Linear, out_norm: Norm, up: Linear, down: Linear, down_norm: Norm) -> None:
        super().__init__()
        self.qkv, self.out, self.out_norm = qkv, out, out_norm
        self.up, self.down, self.down_norm = up, down, down_norm

    def forward(self, x: Tensor, attended: Tensor) -> Tensor:
        """Tokens in and out of shape (tokens, hidden); `attended` is what they attend to, in the same shape."""
        x = self.out_norm(self.out.add(attended, x))
        return self.down_norm(self.down.add(self.up.gelu(x), x))


class Bert(nn.Module):
    """An encoder from its weights, named as transformers names them, in one precision. How it attends is up to those that derive."""

    def __init__(self, shape: BertShape, weights: Mapping[str, Tensor], precision: torch.dtype, linear: type[Linear]) -> None:
        super().__init__()
        self.heads, self.hidden, self.first_position = shape.heads, shape.hidden, shape.first_position
        self.takes_first = shape.pooling == "cls"
        given = _Weights(weights, precision, linear, shape)
        self.words = nn.Buffer(given.tensor("embeddings.word_embeddings.weight"))
        # Each text is one segment: the embedding of segment 0 goes with all positions.
        segment = weights["embeddings.token_type_embeddings.weight"][0]
        self.positions = nn.Buffer((weights["embeddings.position_embeddings.weight"] + segment).to(precision))
        self.norm = given.norm("embeddings.LayerNorm")
        self.layers = nn.ModuleList([given.layer(f"encoder.layer.{number}.") for number in range(shape.layers)])


class FlatBert(Bert):
    """Works on the tokens of all texts in a row; each text attends by itself. Padding takes no part in anything.

    What each text needs is small and stays in the caches: passages of 250 tokens take a quarter less than all at once. Where products
    are so quick that calling them counts (bfloat16), or each size has code of its own, `PaddedBert` is the better one.
    """

    def forward(self, ids: Tensor, lengths: Tensor, most: int) -> Tensor:
        """Unit vectors, float32, of shape (texts, hidden).

        Args:
            ids: token ids, padded, of shape (texts, tokens).
            lengths: how many tokens each text has.
            most: rows to be computed, at least as many as there are tokens.
        """
        sizes: list[int] = lengths.tolist()
        real = torch.arange(ids.shape[1]) < lengths[:, None]
        x = functional.embedding(in_a_row(ids, real, most), self.words)
        x = self.norm(
            x + self.positions.index_select(0, in_a_row(torch.arange(ids.shape[1]).expand_as(ids), real, most) + self.first_position)
        )
        for layer in self.layers:
            x = layer(x, self.attended(layer.qkv.plain(x), sizes))
        return functional.normalize(self.pooled(x.float(), sizes), dim=1)

    def attended(self, qkv: Tensor, sizes: list[int]) -> Tensor:
        """Each token as a mean of the values of its text; of shape (rows, hidden)."""
        attended = torch.zeros(qkv.shape[0], self.hidden, dtype=qkv.dtype)
        parts = qkv.view(qkv.shape[0], 3, self.heads, -1).permute(1, 2, 0, 3)
        begin = 0
        for size in sizes:
            query, key, value = parts.narrow(2, begin, size).unbind(0)
            weights = torch.softmax(torch.bmm(query, key.transpose(1, 2)), dim=-1)
            attended.narrow(0, begin, size).view(size, self.heads, -1).copy_(torch.bmm(weights, value).transpose(0, 1))
            begin += size
        return attended

    def pooled(self, x: Tensor, sizes: list[int]) -> Tensor:
        """One row of each text's."""
        found: list[Tensor] = []
        begin = 0
        for size in sizes:
            found.append(x[begin] if self.takes_first else x.narrow(0, begin, size).sum(dim=0))
            begin += size
        return torch.stack(found)


def in_a_row(values: Tensor, real: Tensor, most: int) -> Tensor:
    """The values that are real, one text after the other, and zeros after them."""
    found = values.masked_select(real)
    return functional.pad(found, (0, most - found.shape[0]))


class PaddedBert(Bert):
    """All texts attend at once. Where there is much padding it takes part in that alone: all else works on the tokens in a row."""

    def forward(self, ids: Tensor, lengths: Tensor, most: int) -> Tensor:
        """As that of `FlatBert`; with as many rows as texts * tokens padding is computed as if it were text."""
        texts, tokens = ids.shape
        real = torch.arange(tokens) < lengths[:, None]
        places: Tensor | None = None
        rows: Tensor | None = None
        x = functional.embedding(ids, self.words) + self.positions[self.first_position : self.first_position + tokens]
        x = self.norm(x).view(texts * tokens, self.hidden)
        if most < texts * tokens:
            found = real.flatten().nonzero().flatten()
            places, rows = torch.zeros(most, dtype=torch.int64), torch.zeros(texts * tokens, dtype=torch.int64)
            places[: found.shape[0]] = found
            rows[found] = torch.arange(found.shape[0])
            x = x.index_select(0, places)
        mask = None if bool(real.all()) else self.mask(real)
        for layer in self.layers:
            qkv = layer.qkv.plain(x)
            attended = self.attended(qkv if rows is None else qkv.index_select(0, rows), texts, mask)
            x = layer(x, attended if places is None else attended.index_select(0, places))
        if rows is not None:
            x = x.index_select(0, rows)
        return functional.normalize(self.pooled(x.view(texts, tokens, self.hidden).float(), real), dim=1)

    def attended(self, qkv: Tensor, texts: int, mask: Tensor | None) -> Tensor:
        """Each token as a mean of the values of its text; of shape (texts * tokens, hidden)."""
        tokens, width = qkv.shape[0] // texts, self.hidden // self.heads
        qkv = qkv.view(texts, tokens, 3, self.heads, width).permute(2, 0, 3, 1, 4).contiguous()
        query, key, value = qkv.view(3, texts * self.heads, tokens, width).unbind(0)
        keys = key.transpose(1, 2)
        scores = torch.bmm(query, keys) if mask is None else torch.baddbmm(mask, query, keys)
        # For short texts two plain products beat torch's flash attention on a CPU: 2.5 against 4.3 ms for 8 of 128 tokens.
        attended = torch.bmm(torch.softmax(scores, dim=-1), value)
        return attended.view(texts, self.heads, tokens, width).transpose(1, 2).reshape(texts * tokens, self.hidden)

    def mask(self, real: Tensor) -> Tensor:
        """What is added to the scores: minus infinity for padding; of shape (texts * heads, 1, tokens)."""
        blocked = torch.zeros(real.shape, dtype=self.words.dtype).masked_fill_(~real, float("-inf"))
        return blocked.repeat_interleave(self.heads, dim=0)[:, None, :]

    def pooled(self, x: Tensor, real: Tensor) -> Tensor:
        """One row of each text's."""
        return x[:, 0] if self.takes_first else (x * real[..., None]).sum(dim=1)


class _Weights:
    """The weights of a model by their names, made into parts."""

    def __init__(self, weights: Mapping[str, Tensor], precision: torch.dtype, linear: type[Linear], shape: BertShape) -> None:
        self._weights, self._precision, self._linear, self._shape = weights, precision, linear, shape

    def tensor(self, name: str) -> Tensor:
        return self._weights[name].to(self._precision).contiguous()

    def norm(self, name: str) -> Norm:
        return Norm(self.tensor(f"{name}.weight"), self.tensor(f"{name}.bias"), self._shape.norm_eps)

    def layer(self, name: str) -> Layer:
        return Layer(
            qkv=self._qkv(f"{name}attention.self"),
            out=self._linear_of(f"{name}attention.output.dense"),
            out_norm=self.norm(f"{name}attention.output.LayerNorm"),
            up=self._linear_of(f"{name}intermediate.dense"),
            down=self._linear_of(f"{name}output.dense"),
            down_norm=self.norm(f"{name}output.LayerNorm"),
        )

    def _qkv(self, name: str) -> Linear:
        scale = (self._shape.hidden // self._shape.heads) ** -0.5
        parts = {part: [self._weights[f"{name}.{part}.{kind}"] for kind in ("weight", "bias")] for part in ("query", "key", "value")}
        parts["query"] = [scale * tensor for tensor in parts["query"]]
        weight, bias = (torch.cat([parts[part][kind] for part in ("query", "key", "value")]) for kind in (0, 1))
        return self._linear(weight.to(self._precision), bias.to(self._precision))

    def _linear_of(self, name: str) -> Linear:
        return self._linear(self.tensor(f"{name}.weight"), self.tensor(f"{name}.bias"))


def scripted(bert: Bert) -> nn.Module:
    """The same as a TorchScript program; raises `RuntimeError` where this torch or this Python can't make one."""
    with warnings.catch_warnings():
        # Deprecated, and still torch's only way to run a model without the interpreter that needs no compiler on the machine.
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        try:
            return cast(nn.Module, torch.jit.script(bert))
        except OSError as error:  # it reads the source
            raise RuntimeError(f"TorchScript can't read {__name__}: {error}") from error
