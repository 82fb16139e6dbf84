"""Which kernel a model runs on: the fastest of those that give the float32 vectors, measured once and remembered."""

import hashlib
import json
import logging
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from index.engine import Engine, in_order
from index.lease import Lease
from index.vectors import Vectors, lowest_cosine

# A kernel whose vectors are this near to float32, on every probe, shares the fingerprint of float32.
SAME_VECTORS = 0.999
# A kernel that takes this many times as long as the best so far for one short text isn't measured further.
HOPELESS = 4.0
LIBRARIES = ("torch", "transformers", "sentence-transformers", "tokenizers")
# Raise it when kernels change: choices of before are then forgotten.
VERSION = 4
SENTENCES = (
    "Apples are harvested in October.",
    "How do I roll back to an earlier version of the index?",
    "The committee adopted the report by 14 votes to 3, with 2 abstentions, after a debate of four hours.",
    "def embed(texts: list[str]) -> np.ndarray: return model.encode(texts, batch_size=32)",
    "Set `GROUNDWORK_PORT=8000` before the first start, or edit the [server] section of config.toml.",
    "Mutations of the BRCA1 gene increase the lifetime risk of breast and ovarian cancer to 45-85 percent.",
    "Die Würde des Menschen ist unantastbar. Sie zu achten ist Verpflichtung aller staatlichen Gewalt.",
    "東京は日本の首都であり、世界最大の都市圏の一つである。",
    "ERROR 2024-05-17T11:42:09Z worker-3 connection reset by peer (errno 104), retrying in 2.5 s",
    "| region | revenue | change |\n|---|---|---|\n| EMEA | 1,204 | +3.1% |\n| APAC | 987 | -0.4% |",
    'See section 4.2 ("Liability"): neither party is liable for indirect damages, save for gross negligence.',
    "The 1969 moon landing was watched live by about 600 million people; the module touched down at 20:17 UTC.",
    "Yes.",
    "Proteins fold into three-dimensional structures that are determined by their sequence of amino acids.",
    "https://example.org/docs/v2/search?q=vector+index&limit=10#results",
    "She closed the door quietly, listened for a moment, and walked down the stairs without turning on the light.",
)
PROBES = SENTENCES + tuple(" ".join(SENTENCES[place : place + 6]) for place in (0, 4, 8, 10))
_log = logging.getLogger("groundwork.embedder")


@dataclass(frozen=True, slots=True)
class Trial:
    """How a kernel did: its lowest cosine to float32, and texts a second, passages together and questions by themselves."""

    kernel: str
    cosine: float
    texts_per_s: float


@dataclass(frozen=True, slots=True)
class Choice:
    """What is remembered of a model on a machine: all that it takes to start without the library.

    `folder_tokenizer`: the tokenizer in the model's folder is the one that the library uses.
    """

    fingerprint: str
    dimensions: int
    max_tokens: int
    prompt: str
    pad: int
    folder_tokenizer: bool
    kernel: str
    cosine: float


def trials(engines: Mapping[str, Callable[[], Engine]], expected: Vectors) -> list[Trial]:
    """The kernels that work here and give the `expected` vectors of the probes, fastest first."""
    found: list[Trial] = []
    quickest = float("inf")
    for name, start in engines.items():
        try:
            engine = start()
            engine.question(SENTENCES[0])
            once = _seconds(partial(engine.question, SENTENCES[1]))
            if once > HOPELESS * quickest:
                continue
            quickest = min(quickest, once)
            trial = _trial(name, engine, expected)
        except (RuntimeError, AttributeError, KeyError, TypeError) as error:  # what torch raises for what this machine or version lacks
            _log.info("kernel %s does not work here: %s: %.200s", name, type(error).__name__, error)
            continue
        _log.info("kernel %s: %.0f texts/s, lowest cosine to float32 %.5f", name, trial.texts_per_s, trial.cosine)
        if trial.cosine >= SAME_VECTORS:
            found.append(trial)
    return sorted(found, key=lambda trial: -trial.texts_per_s)


class Choices:
    """The choices of this machine, in a small JSON file; a file that can't be read is measured anew."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: str) -> Choice | None:
        """What was chosen for a key of `machine_key`."""
        try:
            return Choice(**self._read()[key])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def known_or(self, key: str, measure: Callable[[], Choice]) -> Choice:
        """What was chosen for a key, measured if it never was.

        One process measures at a time: together they would take twice as long, and time each other. The others wait and take what it found.
        """
        if found := self.get(key):
            return found
        with Lease(self._path.with_suffix(".lock")) as lease:
            lease.acquire(on_wait=lambda: _log.info("another process measures the kernels: waiting for what it finds"))
            found = self.get(key)
            if not found:
                found = measure()
                self.put(key, found)
        return found

    def put(self, key: str, choice: Choice) -> None:
        """Remembers a choice; two processes that do so at once both leave a whole file."""
        try:
            known = self._read()
        except (OSError, ValueError):
            known = {}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        written = self._path.with_suffix(f".{os.getpid()}")
        written.write_text(json.dumps(known | {key: asdict(choice)}, indent=1) + "\n", encoding="utf-8")
        written.replace(self._path)

    def _read(self) -> dict[str, dict[str, Any]]:
        known: dict[str, dict[str, Any]] = json.loads(self._path.read_text(encoding="utf-8"))
        return known


def machine_key(model: str, threads: int, gpu: str) -> str:
    """Names what a choice holds for: the files of the model, the processor or GPU, the libraries."""
    libraries = " ".join([f"python=={platform.python_version()}", *(f"{library}=={version(library)}" for library in LIBRARIES)])
    return f"{model} | {gpu or processor()} x{threads} | {libraries} | {VERSION}"


def processor() -> str:
    """The processor's model and what it can do."""
    try:
        lines = dict(line.partition(":")[::2] for line in Path("/proc/cpuinfo").read_text().splitlines())
        facts = {name.strip(): value.strip() for name, value in lines.items()}
        flags = hashlib.sha256(" ".join(sorted(facts.get("flags", facts.get("Features", "")).split())).encode()).hexdigest()[:8]
        return f"{facts.get('model name', platform.machine())} {flags}"
    except OSError:
        return f"{platform.machine()} {platform.processor()}"


def _trial(name: str, engine: Engine, expected: Vectors) -> Trial:
    began = perf_counter()
    vectors = in_order(engine.stream(PROBES), len(PROBES), expected.shape[1])
    for sentence in SENTENCES:
        engine.question(sentence)
    return Trial(name, lowest_cosine(vectors, expected), (len(PROBES) + len(SENTENCES)) / (perf_counter() - began))


def _seconds(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began
