"""The forecast of a live index: what is measured for it, and where it is kept."""

import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from time import perf_counter

import numpy as np

from evals.capacity import Forecast, Situation, forecast, growth
from evals.recall import K, known_items
from evals.sizes import measured, sizes_of
from index import vector_index
from index.embedder import Embedder, Vectors
from index.policy import IndexPolicy
from index.search import View
from index.store import Store

QUESTIONS = 400


def assess(
    store: Store,
    policy: IndexPolicy,
    embedder: Embedder,
    scratch: Path,
    goal_ms: float,
    now: datetime,
    progress: Callable[[int], object] = lambda _: None,
) -> Forecast:
    """Measures indexes of several sizes on sub-samples of the newest rows and says when p95 passes the goal; stores what it says.

    Takes minutes and, in the `scratch` folder, the disk of half a million vectors.
    """
    store.log.refresh()
    live = store.log.live()
    view = store.head(live.generation)
    questions = known_items(view, embedder, QUESTIONS)
    sizes = list(measured(view, questions, sizes_of(view.release.rows), policy, scratch, progress))
    grown = growth(store.log.rows_by_day())
    told = forecast(situation(store, view, questions), sizes, grown, now, goal_ms)
    store.forecasts.write(now, asdict(told))
    return told


def situation(store: Store, view: View, questions: Vectors) -> Situation:
    """The index as it is searched now, on this machine."""
    shape = store.log.shape(view.release.generation)
    index = view.vector_index
    return Situation(
        rows=view.release.rows,
        p95_ms=p95_ms(view, questions),
        tail=index.unindexed if index else 0,
        made_for=shape.rows if shape and index else None,
        vector_bytes=vector_index.stored_bytes(view.vector_column),
        memory=memory_available(),
        disk=shutil.disk_usage(store.folder).free,
    )


def p95_ms(view: View, questions: Vectors) -> float:
    """The 95th percentile of one search by vector, in milliseconds; 0 when there is nothing to ask."""
    seconds = []
    for question in questions:
        began = perf_counter()
        view.by_vector(question, K, None)
        seconds.append(perf_counter() - began)
    return float(np.percentile(seconds, 95)) * 1000 if seconds else 0.0


def memory_available() -> int:
    """Bytes that processes and the system's cache can have; where the system does not say, those that nobody uses."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
