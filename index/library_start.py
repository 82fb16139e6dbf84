"""Starting a model by its library: checks the kernels against it and times them, unless the choice is known."""

import hashlib
import json
import logging
import os
import subprocess
import sys
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from index import model_folder
from index.engine import Engine, Library, in_order
from index.errors import Misconfigured
from index.kernel_choice import PROBES, Choice, trials
from index.kernels import candidates, on_gpu
from index.token_loop import GPU_PACE, TokenInput, TokenLoop, cpu_pace

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

LIBRARY_KERNEL = "sentence-transformers as it is"
DEFAULT_MAX_TOKENS = 512


def library_start(name: str, path: str, folder: Path | None, cores: int, known: Choice | None) -> tuple[Engine, Tokenizer, Choice]:
    """The best engine for the model here, its tokenizer, and what there is to remember.

    Args:
        name: what messages call the model.
        path: what the library loads.
        folder: where its files are, if that is known.
        cores: how many may be used.
        known: what an earlier start chose.
    """
    model = _load(path, name)
    tokenizer = _tokenizer(model)
    start = LibraryStart(model, tokenizer, folder, cores)
    if known is None or known.fingerprint != start.facts.fingerprint:
        known = start.chosen()
    return start.engine(known), tokenizer, known


def measured_choice(name: str, path: str, folder: Path, cores: int) -> Choice:
    """What there is to remember of a model, found in a process of its own: the library would leave a gigabyte of memory behind."""
    command = [sys.executable, "-m", __name__, name, path, str(folder), str(cores)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own program
    answer = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {"error": f"measuring the kernels ended with {done.returncode}"}
    if "error" in answer:
        raise Misconfigured(answer["error"])
    return Choice(**answer)


def main() -> None:
    """Prints the choice for a model as JSON, or what is wrong: `python -m index.library_start NAME PATH FOLDER CORES`."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.INFO)
    name, path, folder, cores = sys.argv[1:]
    try:
        model = _load(path, name)
        answer = asdict(LibraryStart(model, _tokenizer(model), Path(folder), int(cores)).chosen())
    except Misconfigured as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)


class LibraryStart:
    """A model that the library has loaded, on its way to a kernel."""

    def __init__(self, model: "SentenceTransformer", tokenizer: Tokenizer, folder: Path | None, cores: int) -> None:
        self._model, self._cores = model, cores
        self.facts = _facts(model, tokenizer, folder)
        self._shape = model_folder.bert_shape(folder) if folder else None
        self._kernels = candidates(model, self._shape, folder)
        self._tokens = TokenInput.cut(tokenizer, self.facts.max_tokens, self.facts.prompt, self.facts.pad)

    def engine(self, choice: Choice) -> Engine:
        """The engine of a choice."""
        kernel = next((group[choice.kernel] for group in self._kernels if choice.kernel in group), None)
        if kernel is None:
            return Library(self._model)
        weights = self._shape.weights if self._shape else None
        return TokenLoop(kernel(), self._tokens, GPU_PACE if on_gpu(self._model) else cpu_pace(self._cores, weights))

    def chosen(self) -> Choice:
        """The choice, by measurement: of the first group of kernels in which one gives the float32 vectors."""
        expected = in_order(Library(self._model).stream(PROBES), len(PROBES), self.facts.dimensions)
        for group in self._kernels:
            if found := trials({name: partial(self.engine, replace(self.facts, kernel=name)) for name in group}, expected):
                return replace(self.facts, kernel=found[0].kernel, cosine=found[0].cosine)
        return self.facts


def _load(path: str, name: str) -> "SentenceTransformer":
    if Path(path).is_dir():
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        return SentenceTransformer(path)
    except (OSError, ValueError) as error:
        hint = f"GROUNDWORK_EMBEDDER={name} can't be loaded: give a sentence-transformers folder or a name that can be downloaded"
        raise Misconfigured(f"{hint} ({str(error).splitlines()[0][:200]})") from error


def _tokenizer(model: "SentenceTransformer") -> Tokenizer:
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise Misconfigured("the embedder has no fast tokenizer; chunks can't be sized for it")
    return model_folder.plain(backend)


def _facts(model: "SentenceTransformer", tokenizer: Tokenizer, folder: Path | None) -> Choice:
    """What is known of a model before any kernel was tried."""
    max_tokens = int(model.max_seq_length or DEFAULT_MAX_TOKENS)
    return Choice(
        fingerprint=_fingerprint(model, tokenizer, max_tokens),
        dimensions=int(model.get_embedding_dimension() or 0),
        max_tokens=max_tokens,
        prompt=model.prompts.get(model.default_prompt_name or "") or "",
        pad=int(model.tokenizer.pad_token_id or 0),
        folder_tokenizer=bool(folder and model_folder.has_tokenizer(folder, tokenizer)),
        kernel=LIBRARY_KERNEL,
        cosine=1.0,
    )


def _fingerprint(model: "SentenceTransformer", tokenizer: Tokenizer, max_tokens: int) -> str:
    """Names what decides a vector: the layers, the length limit, the vocabulary and every weight."""
    digest = hashlib.sha256(f"{[type(layer).__name__ for layer in model]} {max_tokens}".encode())
    digest.update(tokenizer.to_str().encode())
    for name, weights in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weights.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


if __name__ == "__main__":
    main()
