"""The embedder of this machine: any sentence-transformers model, on the fastest kernel that gives its vectors."""

import logging
import os
from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path

from tokenizers import Tokenizer

from index import model_folder
from index.engine import Engine, in_order
from index.kernel_choice import Choice, Choices, machine_key
from index.vectors import Places, Vectors

BUNDLED = "all-MiniLM-L6-v2"
CHOICES_FILE = "kernels.json"
_log = logging.getLogger("groundwork.embedder")


class LocalEmbedder:
    """A model in this process, on the CPU or the GPU that torch finds. `kernel` says how it is computed."""

    def __init__(self, name: str, engine: Engine, tokenizer: Tokenizer, choice: Choice) -> None:
        self.name = name
        self.fingerprint = choice.fingerprint
        self.dimensions = choice.dimensions
        self.max_tokens = choice.max_tokens
        self.kernel = choice.kernel
        self.choice = choice
        self._engine = engine
        self._tokenizer = tokenizer

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of passages, shape (len(texts), dimensions), norm 1."""
        return in_order(self._engine.stream(texts), len(texts), self.dimensions)

    def embed_stream(self, texts: Sequence[str]) -> Generator[tuple[Places, Vectors]]:
        """The same in slices of about 0.1 s: the places of some texts, and their vectors. Who stops asking stops the work."""
        return self._engine.stream(texts)

    def embed_query(self, text: str) -> Vectors:
        """The vector of one question, shape (dimensions,), norm 1."""
        return self._engine.question(text)

    def tokenizer(self) -> Tokenizer:
        """The model's own tokenizer, without truncation or padding."""
        return self._tokenizer


def open_local(model: str | None = None, threads: int | None = None, home: Path | None = None) -> LocalEmbedder:
    """Loads a model; raises `Misconfigured` when it can't be loaded.

    The first start loads the library, and checks and times the kernels (12 s), in another process; the choice is remembered in
    `home`, and later starts only read the weights (3 s). Without a `home` every start is a first one, in this process.

    Args:
        model: name or path of a sentence-transformers model; None is the bundled all-MiniLM-L6-v2, which needs no network.
        threads: how many cores to use; None is all that this process may use.
        home: the folder where the choice is remembered.
    """
    from index.kernels import gpu_name

    name, cores = model or BUNDLED, threads or _cores()
    folder = model_folder.model_folder(model)
    known = None
    if home and folder:
        key = machine_key(model_folder.digest(folder), cores, gpu_name())
        known = Choices(home / CHOICES_FILE).known_or(key, partial(_measured, name, folder, cores))
    embedder = _without_library(name, folder, known, cores) if folder and known else None
    if embedder is None:
        from index.library_start import library_start

        embedder = LocalEmbedder(name, *library_start(name, str(folder or model), folder, cores, known))
    _log.info("%s %s runs on the kernel “%s”, %d cores", name, embedder.fingerprint, embedder.kernel, cores)
    return embedder


def _measured(name: str, folder: Path, cores: int) -> Choice:
    from index.library_start import measured_choice

    return measured_choice(name, str(folder), folder, cores)


def _without_library(name: str, folder: Path, known: Choice, cores: int) -> LocalEmbedder | None:
    """On the kernel of an earlier start; None where that takes the library."""
    from index.kernels import BERT_KERNELS, bert_kernel
    from index.token_loop import TokenInput, TokenLoop, cpu_pace

    shape = model_folder.bert_shape(folder)
    if known.kernel not in BERT_KERNELS or not known.folder_tokenizer or not shape:
        return None
    tokenizer = model_folder.tokenizer(folder)
    tokens = TokenInput.cut(tokenizer, known.max_tokens, known.prompt, known.pad)
    engine = TokenLoop(bert_kernel(known.kernel, shape, folder), tokens, cpu_pace(cores, shape.weights))
    return LocalEmbedder(name, engine, tokenizer, known)


def _cores() -> int:
    """How many this process may use; not every system can say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
