"""The same vectors in the indexes of others: faiss, hnswlib, usearch, Chroma and PostgreSQL, each at the recall target."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from evals.bench.figures import Case, Figure, p50_ms, p99_ms
from evals.bench.options import Options
from evals.bench.peers.environment import HERE, ROOT, environment
from evals.bench.peers.with_vectors import SYSTEMS
from evals.bench.scale import Scaled, lifelike, rows_of
from evals.bench.serving import Served, in_fresh_process
from evals.recall import K
from index.embedder import Vectors
from index.policy import IndexPolicy
from index.settings import Settings

PART = "stores"
ROWS = 100_000
QUESTIONS = 500
REQUIREMENTS = HERE / "vectors.txt"
LONGEST_S = 3600
SAID = 300


def stores(options: Options) -> list[Figure]:
    """p50 and p99 of one client at the least effort that reaches the recall target, memory and build time, beside this platform's.

    The others hold the vectors in memory and know nothing of texts; each runs in a process of its own.
    """
    rows = options.rows or ROWS
    name = rows_of(options, rows)
    python = environment(Settings().home / "cache", REQUIREMENTS)
    with TemporaryDirectory(prefix="groundwork-bench-") as folder:
        files = Path(folder)
        made = Scaled.make(files / "ours", lifelike(options), rows, QUESTIONS)
        ours = list(_of_ours(in_fresh_process(made.folder, made.questions), made, name))
        _write(made, files)
        efforts = _efforts_of_ours(made, name)
        return [*ours, *efforts, *(figure for system in SYSTEMS for figure in _of(system, python, files, name, ours))]


def _of_ours(served: Served, made: Scaled, name: str) -> Iterator[Figure]:
    case = Case(PART, f"{name}, Groundwork")
    yield case.figure("p50", p50_ms(served.vector.seconds), "ms")
    yield case.figure("p99", p99_ms(served.vector.seconds), "ms")
    yield case.figure(f"recall@{K}", served.vector.recall, "")
    yield case.figure("memory", served.memory / 1e6, "MB")
    yield case.figure("built in", made.building.last if made.shape else 0.0, "s")


def _efforts_of_ours(made: Scaled, name: str) -> Iterator[Figure]:
    """What the tuner tried, on its own questions."""
    for found in made.tuned.tried if made.tuned else ():
        if found.settings:
            case = Case(PART, f"{name}, Groundwork, effort {found.settings.nprobes} x {found.settings.refine_factor}")
            yield case.figure("p50", found.p50_ms, "ms")
            yield case.figure(f"recall@{K}", found.recall.mean or 0.0, "")


def _write(made: Scaled, files: Path) -> None:
    """The vectors, the questions and the rows of the true nearest, for programs that know nothing of ours."""
    view = made.store.reader().view()
    slices = [np.asarray(batch[0].flatten(), dtype=np.float32).reshape(batch.num_rows, -1) for batch in view.vector_batches()]
    vectors: Vectors = np.concatenate(slices)
    np.save(files / "vectors.npy", vectors)
    np.save(files / "questions.npy", made.questions.vectors)
    np.save(files / "nearest.npy", np.stack([np.argpartition(-(vectors @ question), K)[:K] for question in made.questions.vectors]))


def _of(system: str, python: Path, files: Path, name: str, ours: list[Figure]) -> Iterator[Figure]:
    case = Case(PART, f"{name}, {system}")
    command = [str(python), "-m", "evals.bench.peers.with_vectors", system, str(files), str(IndexPolicy().recall_target)]
    try:
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=LONGEST_S)  # noqa: S603 - ours
        said = json.loads(ended.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError) as failure:
        print(f"{system} did not come to its end: {getattr(failure, 'stderr', None) or failure}"[-SAID:], file=sys.stderr)
        return
    best = said["tries"][-1]
    figures = [
        case.figure("p50", best["p50_ms"], "ms"),
        case.figure("p99", best["p99_ms"], "ms"),
        case.figure(f"recall@{K}", best["recall"], ""),
        case.figure("memory", said["memory"] / 1e6, "MB"),
        case.figure("built in", said["built_s"], "s"),
    ]
    yield from (figure.against(mine) for figure, mine in zip(figures, ours, strict=True))
    for each in said["tries"]:
        effort = Case(PART, f"{case.name}, effort {each['effort']}")
        yield effort.figure("p50", each["p50_ms"], "ms")
        yield effort.figure(f"recall@{K}", each["recall"], "")
