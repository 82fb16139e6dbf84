"""Kernels: ways to run a model on this machine, of one meaning and different speed. Imports torch: seconds."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch
from safetensors.torch import load_file
from torch.nn.functional import normalize

from index.bert import FlatBert, HalfLinear, Linear, PackedLinear, PaddedBert, PlainLinear, scripted
from index.model_folder import BertShape
from index.token_batches import TokenBatch, together
from index.vectors import Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

WEIGHTS = "model.safetensors"
PACKED_BFLOAT16, PACKED_FLOAT32, PLAIN_BFLOAT16 = "packed BERT, bfloat16", "packed BERT, float32", "BERT, bfloat16"
HALF_WEIGHTS = "packed BERT, float16 weights"
# Name of the kernel: precision of what is computed, and how its weights are kept.
BERT_KERNELS: Mapping[str, tuple[torch.dtype, type[Linear]]] = {
    PACKED_BFLOAT16: (torch.bfloat16, PackedLinear),
    HALF_WEIGHTS: (torch.float32, HalfLinear),
    PACKED_FLOAT32: (torch.float32, PackedLinear),
    PLAIN_BFLOAT16: (torch.bfloat16, PlainLinear),
}
MODEL_KERNELS = {"model, bfloat16": torch.bfloat16, "model, float32": torch.float32}
# These are public operations of torch no more, but the fastest where they work.
PACKED = (PACKED_BFLOAT16, HALF_WEIGHTS, PACKED_FLOAT32)
# TorchScript watches its first run and makes a faster program in the second: nobody shall wait for that. With and without padding.
FIRST_RUNS = 3
WARM_UP = together([[0] * 8, *[[0]] * 3], pad=0, most=8)
GPU_KERNELS = {"model, float16": torch.float16, "model, bfloat16": torch.bfloat16, "model, float32": torch.float32}


class Kernel(Protocol):
    """The port: tokens to vectors. Called by several threads at once."""

    @property
    def leaves_out_padding(self) -> bool:
        """Whether padding takes no time: then texts of different lengths may go together."""
        ...

    def __call__(self, batch: TokenBatch) -> Vectors:
        """Unit vectors, one for each row of the batch, of shape (rows, dimensions)."""
        ...


@dataclass(frozen=True, slots=True)
class BertKernel:
    """A BERT-like encoder without the transformers library, on the CPU."""

    bert: torch.nn.Module
    leaves_out_padding: bool = True

    def __call__(self, batch: TokenBatch) -> Vectors:
        """Unit vectors, one for each row of the batch, of shape (rows, dimensions)."""
        with torch.inference_mode():
            vectors: Vectors = self.bert(torch.from_numpy(batch.ids), torch.from_numpy(batch.lengths), batch.rows).numpy()
        return vectors


class ModelKernel:
    """Any sentence-transformers model with a token input, in one precision, where it is (CPU or GPU)."""

    leaves_out_padding = False

    def __init__(self, model: "SentenceTransformer", precision: torch.dtype) -> None:
        self._model = model if precision == torch.float32 else deepcopy(model).to(precision)
        self._device = model.device

    def __call__(self, batch: TokenBatch) -> Vectors:
        """Unit vectors, one for each row of the batch, of shape (rows, dimensions): copied in without waiting, and back once."""
        real = torch.arange(batch.ids.shape[1]) < torch.from_numpy(batch.lengths)[:, None]
        features = {"input_ids": torch.from_numpy(batch.ids), "attention_mask": real.long()}
        if self._device.type == "cuda":
            features = {name: tensor.pin_memory().to(self._device, non_blocking=True) for name, tensor in features.items()}
        with torch.inference_mode():
            found = self._model(features)["sentence_embedding"]
            vectors: Vectors = normalize(found.float(), dim=1).cpu().numpy()
        return vectors


def bert_kernel(name: str, shape: BertShape, folder: Path) -> BertKernel:
    """The kernel of that name from the weights in a model's folder."""
    precision, linear = BERT_KERNELS[name]
    weights = {key.removeprefix("bert.").removeprefix("roberta."): tensor for key, tensor in load_file(folder / WEIGHTS).items()}
    attends = FlatBert if precision == torch.float32 else PaddedBert
    kernel = BertKernel(scripted(attends(shape, weights, precision, linear)))
    for _ in range(FIRST_RUNS):
        kernel(WARM_UP)
    return kernel


Makers = Mapping[str, Callable[[], Kernel]]


def candidates(model: "SentenceTransformer", shape: BertShape | None, folder: Path | None) -> Sequence[Makers]:
    """What may be tried for a model, in groups, the most promising first; `shape` is None when it is no BERT."""
    of_model: dict[str, Callable[[], Kernel]] = {
        name: partial(ModelKernel, model, precision) for name, precision in (GPU_KERNELS if on_gpu(model) else MODEL_KERNELS).items()
    }
    if on_gpu(model) or not shape or not folder or not (folder / WEIGHTS).is_file():
        return [of_model]
    of_bert: dict[str, Callable[[], Kernel]] = {name: partial(bert_kernel, name, shape, folder) for name in BERT_KERNELS}
    return [{name: of_bert.pop(name) for name in PACKED}, of_bert | of_model]


def on_gpu(model: "SentenceTransformer") -> bool:
    """Whether the library put the model on a GPU."""
    return bool(model.device.type == "cuda")


def gpu_name() -> str:
    """The model of the GPU that torch finds; empty when there is none."""
    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else ""
