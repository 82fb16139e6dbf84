"""One evaluation with a judge in a process of its own, which a proof kills: `python -m tests.proofs.evaluating FOLDER ID JUDGE_PORT`."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from evals.budget import Budget
from evals.evaluate import Request, evaluate
from evals.judge import Judge
from flows.abandoned import begun
from flows.evaluate import asker
from index.progress import EvaluationProgress, EvaluationStep
from index.store import open_store
from tasks.extract import ExtractiveGenerator
from tests.fakes import HashingEmbedder

DATASET = "towns"


def main(folder: str, identifier: str, port: str) -> None:
    """What the flow does, without Prefect and with a model that needs no loading."""
    store, embedder = open_store(folder, Path(folder)), HashingEmbedder()
    reader, told = store.reader(), EvaluationProgress(store.folder)
    started = EvaluationStep(identifier, store.log.live().number, DATASET, datetime.now(UTC).isoformat())
    step = begun(store, started, asked=False)
    judge = Judge(f"http://127.0.0.1:{port}/v1", "scripted", "secret", Budget(parallel=1), store.verdicts)
    with told.begin(step):
        ask = asker(reader, embedder, [ExtractiveGenerator(embedder)], step.release)
        request = Request(identifier, step.release, DATASET, golden=store.golden)
        store.evaluations.write(evaluate(reader, embedder, request, ask=ask, judged_by=judge))
        told.clear(identifier)


if __name__ == "__main__":
    main(*sys.argv[1:])
