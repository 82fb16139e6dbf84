"""How fast the embedder is beside plain `SentenceTransformer.encode`, what share of the machine that is, and what it finds."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import numpy as np

from evals.bench import progress
from evals.bench.collection import Collection, beir, real_documents
from evals.bench.figures import Case, Figure, Stopwatch, p50_ms
from evals.bench.options import Options
from evals.bench.quality import DEPTH, document_grades, ndcg
from index.embedder import Embedder, Vectors, bundled_path, open_embedder
from index.settings import Settings

PART = "embed"
PASSAGES = 256
ROUND = 64
QUESTIONS = 60
QUESTION_WORDS = 10
QUESTIONS_IN_A_ROW = 20
WHOLE_AT_ONCE = 512
PEER_NAME = "SentenceTransformer.encode, float32, batches of 32"
# Runs as a program of its own, as somebody without Groundwork would: what we set in our process does not change it.
# It also multiplies matrices of the model's sizes, with nothing else running, to say what the machine can do at best.
PEER = """
import json, sys, time
import numpy, torch
from sentence_transformers import SentenceTransformer
from transformers.utils import logging
logging.disable_progress_bar()
model = SentenceTransformer(sys.argv[1])
linear = [module.weight for module in model.modules() if isinstance(module, torch.nn.Linear)]

def peak(precision):
    rows, weights = torch.randn(1024, 1536).to(precision), torch.randn(1536, 1536).to(precision)
    best = 0.0
    until = time.perf_counter() + 2
    while time.perf_counter() < until:
        began = time.perf_counter()
        torch.nn.functional.linear(rows, weights)
        best = max(best, 2 * rows.shape[0] * weights.numel() / (time.perf_counter() - began))
    return best

def peaks():
    with torch.inference_mode():
        return {name: peak(getattr(torch, name)) for name in ("float32", "bfloat16")}

print(json.dumps({"weights": sum(weight.numel() for weight in linear), "peaks": peaks()}), flush=True)
for line in sys.stdin:
    texts = json.loads(line)
    if not texts:
        print(json.dumps(peaks()), flush=True)
        continue
    began = time.perf_counter()
    vectors = model.encode(texts, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
    seconds = time.perf_counter() - began
    numpy.save(sys.argv[2], vectors)
    print(seconds, flush=True)
"""


@dataclass(slots=True)
class Peer:
    """The other program, waiting for texts. `weights` are those of its linear layers, `peaks` operations a second by precision."""

    process: "subprocess.Popen[str]"
    answers: IO[str]
    vectors: Path
    weights: int
    peaks: dict[str, float]
    seconds: list[float] = field(default_factory=list)

    def measure_peaks(self) -> None:
        """Once more: on a machine with other work, the best of several times is nearer to what it can do."""
        print(json.dumps([]), file=self.process.stdin, flush=True)
        again = json.loads(self.answers.readline())
        self.peaks = {name: max(peak, again[name]) for name, peak in self.peaks.items()}

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts; the seconds that it took are added to `seconds`."""
        print(json.dumps(texts), file=self.process.stdin, flush=True)
        self.seconds.append(float(self.answers.readline()))
        vectors: Vectors = np.load(self.vectors)
        return vectors


@dataclass(frozen=True, slots=True)
class Race:
    """Seconds of each round, ours and theirs, and the lowest cosine between their vectors."""

    ours: list[float]
    theirs: list[float]
    cosine: float


def embed(options: Options) -> list[Figure]:
    """Passages a second in rounds of 64, taken in turn by both, and the time for one question. `docs` counts passages.

    With `data`, also what exact search over its whole documents finds with either's vectors.
    """
    collection = beir(options.data) if options.data else None
    passages = [draft.content.decode() for draft in real_documents(options.data, options.docs or PASSAGES)]
    settings = Settings()
    with TemporaryDirectory(prefix="groundwork-bench-") as folder, peer(settings.embedder or str(bundled_path()), Path(folder)) as other:
        embedder = open_embedder(settings.embedder, Path(folder))
        rounds = [passages[start : start + ROUND] for start in range(0, len(passages), ROUND)]
        embedding = race(embedder.embed, other, rounds, "embedding")
        questions = [" ".join(text.split()[:QUESTION_WORDS]) for text in passages[:QUESTIONS]]
        asking = quiz(embedder, other, questions)
        other.measure_peaks()
        case, baseline = Case(PART, f"{embedder.name}, {embedder.kernel}"), Case(PART, PEER_NAME)
        found = search(case, baseline, collection, embedder, other) if collection else []
    tokens = float(np.mean([min(embedder.max_tokens, len(encoding.ids)) for encoding in embedder.tokenizer().encode_batch(passages)]))
    speeds = [
        each.figure("passages", len(passages) / sum(seconds), "passages/s")
        for each, seconds in ((case, embedding.ours), (baseline, embedding.theirs))
    ]
    single = [each.figure("one question p50", p50_ms(seconds), "ms") for each, seconds in ((case, asking.ours), (baseline, asking.theirs))]
    return [
        case.figure("tokens a passage", tokens, "tokens"),
        speeds[0].against(speeds[1]),
        single[0].against(single[1]),
        case.figure("cosine to the baseline, lowest", min(embedding.cosine, asking.cosine), ""),
        *shares(case, other, speeds[0].value * tokens),
        *found[:1],
        speeds[1],
        single[1],
        *found[1:],
    ]


@contextmanager
def peer(model: str, folder: Path) -> Iterator[Peer]:
    """Starts the other program and waits until it has loaded the model and measured the machine."""
    vectors = folder / "vectors.npy"
    command = [sys.executable, "-c", PEER, model, str(vectors)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            facts = process.stdout.readline() if process.stdout else ""
            if not facts or not process.stdout:
                raise RuntimeError("the baseline did not start")
            yield Peer(process, process.stdout, vectors, **json.loads(facts))
        finally:
            process.kill()


def race(embed: Callable[[Sequence[str]], Vectors], other: Peer, rounds: Sequence[list[str]], what: str) -> Race:
    """Both embed each round in turn. The first round warms up."""
    watch, lowest = Stopwatch(), 1.0
    embed(rounds[0])
    other.embed(rounds[0])
    other.seconds.clear()
    for texts in progress.steps(what, rounds):
        with watch:
            ours = embed(texts)
        theirs = other.embed(texts)
        lowest = min(lowest, float((ours * theirs).sum(axis=1).min()))
    return Race(watch.seconds, list(other.seconds), lowest)


def quiz(embedder: Embedder, other: Peer, questions: Sequence[str]) -> Race:
    """Both embed 20 questions one by one, in turn, so that neither finds the caches full of the other's weights each time."""
    watch, lowest = Stopwatch(), 1.0
    other.seconds.clear()
    for start in progress.steps("embedding questions", range(0, len(questions), QUESTIONS_IN_A_ROW)):
        block = questions[start : start + QUESTIONS_IN_A_ROW]
        theirs = [other.embed([question])[0] for question in block]
        for question, their in zip(block, theirs, strict=True):
            with watch:
                ours = embedder.embed_query(question)
            lowest = min(lowest, float(ours @ their))
    return Race(watch.seconds, list(other.seconds), lowest)


def shares(case: Case, other: Peer, tokens_per_s: float) -> list[Figure]:
    """How near the embedder comes to the best matrix product of the machine; only the products of linear layers are counted."""
    done = 2 * other.weights * tokens_per_s
    return [
        figure
        for name, peak in other.peaks.items()
        for figure in (
            Case(PART, "matrix product of this machine").figure(name, peak / 1e9, "Gflop/s"),
            case.figure(f"share of its {name} matrix product", done / peak, ""),
        )
    ]


def search(case: Case, baseline: Case, collection: Collection, embedder: Embedder, other: Peer) -> list[Figure]:
    """nDCG@10 of exact search over whole documents, title and text in one vector."""
    grades = document_grades(collection)
    ours = ndcg(nearest(collection, embedder.embed, embedder.embed_query), grades)
    theirs = ndcg(nearest(collection, other.embed, lambda text: other.embed([text])[0]), grades)
    found = [each.figure(f"{collection.name} nDCG@{DEPTH}", value, "") for each, value in ((case, ours), (baseline, theirs))]
    return [found[0].against(found[1]), found[1]]


def nearest(collection: Collection, embed: Callable[[Sequence[str]], Vectors], ask: Callable[[str], Vectors]) -> dict[str, list[str]]:
    """The nearest documents of each question, best first."""
    texts = [f"{draft.title or ''}\n{draft.content.decode()}" for draft in collection.documents]
    starts = range(0, len(texts), WHOLE_AT_ONCE)
    vectors = np.vstack([embed(texts[start : start + WHOLE_AT_ONCE]) for start in progress.steps("embedding whole documents", starts)])
    ids = [draft.doc_id for draft in collection.documents]
    return {question.id: [ids[place] for place in np.argsort(-(vectors @ ask(question.text)))[:DEPTH]] for question in collection.questions}
