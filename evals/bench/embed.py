"""How fast the embedder is, beside plain `SentenceTransformer.encode`."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import numpy as np

from evals.bench import progress
from evals.bench.collection import real_documents
from evals.bench.figures import Case, Figure, Stopwatch, p50_ms
from evals.bench.options import Options
from index.embedder import SentenceTransformerEmbedder, Vectors, bundled_path
from index.settings import Settings

PART = "embed"
PASSAGES = 256
ROUND = 64
QUESTIONS = 30
QUESTION_WORDS = 10
PEER_NAME = "SentenceTransformer.encode, float32, batches of 32"
# Runs as a program of its own, as somebody without Groundwork would: what we set in our process does not change it.
PEER = """
import json, sys, time
import numpy
from sentence_transformers import SentenceTransformer
from transformers.utils import logging
logging.disable_progress_bar()
model = SentenceTransformer(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    texts = json.loads(line)
    began = time.perf_counter()
    vectors = model.encode(texts, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
    seconds = time.perf_counter() - began
    numpy.save(sys.argv[2], vectors)
    print(seconds, flush=True)
"""


class Peer:
    """The other program, waiting for texts."""

    def __init__(self, process: "subprocess.Popen[str]", answers: IO[str], vectors: Path) -> None:
        self._process = process
        self._answers = answers
        self._vectors = vectors
        self.seconds: list[float] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts; the seconds that it took are added to `seconds`."""
        print(json.dumps(texts), file=self._process.stdin, flush=True)
        self.seconds.append(float(self._answers.readline()))
        vectors: Vectors = np.load(self._vectors)
        return vectors


def embed(options: Options) -> list[Figure]:
    """Passages a second in rounds of 64, taken in turn by both, and the time for one question. `docs` counts passages."""
    passages = [draft.content.decode() for draft in real_documents(options.data, options.docs or PASSAGES)]
    model = Settings().embedder
    embedder = SentenceTransformerEmbedder(model)
    with peer(model or str(bundled_path())) as other:
        rounds = [passages[start : start + ROUND] for start in range(0, len(passages), ROUND)]
        ours, theirs, cosine = race(embedder, other, rounds, "embedding")
        questions = [[" ".join(text.split()[:QUESTION_WORDS])] for text in passages[:QUESTIONS]]
        ours_one, theirs_one, _ = race(embedder, other, questions, "embedding questions")
    tokens = float(np.mean([len(encoding.ids) for encoding in embedder.tokenizer().encode_batch(passages)]))
    case, baseline = Case(PART, f"{embedder.name} as it is shipped"), Case(PART, PEER_NAME)
    speeds = [each.figure("passages", len(passages) / sum(seconds), "passages/s") for each, seconds in ((case, ours), (baseline, theirs))]
    single = [each.figure("one question p50", p50_ms(seconds), "ms") for each, seconds in ((case, ours_one), (baseline, theirs_one))]
    return [
        case.figure("tokens a passage", tokens, "tokens"),
        speeds[0].against(speeds[1]),
        single[0].against(single[1]),
        case.figure("cosine to the baseline, lowest", cosine, ""),
        speeds[1],
        single[1],
    ]


@contextmanager
def peer(model: str) -> Iterator[Peer]:
    """Starts the other program and waits until it has loaded the model."""
    with TemporaryDirectory(prefix="groundwork-bench-") as folder:
        vectors = Path(folder) / "vectors.npy"
        command = [sys.executable, "-c", PEER, model, str(vectors)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
            try:
                if process.stdout is None or process.stdout.readline().strip() != "ready":
                    raise RuntimeError("the baseline did not start")
                yield Peer(process, process.stdout, vectors)
            finally:
                process.kill()


def race(
    embedder: SentenceTransformerEmbedder, other: Peer, rounds: Sequence[list[str]], what: str
) -> tuple[list[float], list[float], float]:
    """Seconds of each round, ours and theirs in turn, and the lowest cosine between the vectors. The first round warms up."""
    watch, lowest = Stopwatch(), 1.0
    embedder.embed(rounds[0])
    other.embed(rounds[0])
    other.seconds.clear()
    for texts in progress.steps(what, rounds):
        with watch:
            ours = embedder.embed(texts)
        theirs = other.embed(texts)
        lowest = min(lowest, float((ours * theirs).sum(axis=1).min()))
    return watch.seconds, list(other.seconds), lowest
