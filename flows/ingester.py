"""The ingester: a warm process that takes the inbox to the index. `python -m flows.ingester`."""

import json
import logging
import os
import signal
import sys
from dataclasses import dataclass
from functools import partial
from threading import Event
from time import monotonic

from evals.examine import examine
from flows.after_rebuild import evaluate_release
from flows.canary_watch import CanaryWatch
from flows.drift_check import check_drift_of
from flows.errands import Errands
from flows.ingest import Drain
from flows.rebuilding import BY, Rebuilding
from flows.recorder import Recorder
from flows.watch import Watcher
from flows.workshop import Workshop
from index import logs, telemetry
from index.embedder import Embedder, embedder_for
from index.errors import Misconfigured
from index.policy import index_policy
from index.recipe import Recipe, recipe_of
from index.releases import Release
from index.settings import Settings
from index.store import Store, open_store
from tasks.dedupe import fingerprint
from tasks.discover import SampleSource, sources
from tasks.publish import Publisher
from tasks.rebuild import forget_others
from tasks.retention import retention
from tasks.sweep import sweep
from tasks.wish import ask, follow_settings, made_with, under_way

POLL_S = 0.05
RECORDING_ENDS_WITHIN_S = 1.0
IDLE_S = 5.0
# Searches go before: with it a question is embedded in 8 ms beside a bulk load, without in 20 (2 cores).
NICENESS = 10
_log = logging.getLogger("groundwork.ingester")


def main() -> None:
    """Runs until SIGTERM; the batch in hand is finished first."""
    settings = Settings()
    logs.set_up(settings.log_format)
    send_last_spans = telemetry.start("ingester", settings)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    store = open_store(settings.index, settings.home, settings.inbox_limits)
    with store.lease("writer") as lease:
        if not lease.acquire(lambda: _log.warning("another ingester holds the lease; waiting for it to end"), stop.is_set):
            return
        os.nice(NICENESS)
        policy = index_policy(settings.index_policy)
        asked = recipe_of(settings, policy.vector_bits)
        follow_settings(store.log, asked)
        workshop = Workshop(settings)
        tools = workshop.waiting(made_with(store.log) or asked, stop)
        publisher = Publisher(store, tools)
        publisher.take_over()
        if settings.first_start_file.exists():
            sweep_sample(store, settings)
        recorder = Recorder()
        recorder.start()
        tools.contract.documents({"warm up": "Great Expectations takes seconds to import"})
        fingerprint("warm up")
        _mark_ready(settings)
        watcher = Watcher(store, sources(settings.sources, settings.sample, settings.home))
        watcher.start()
        drain = Drain(store, publisher, stop.is_set, stop.wait, retention(settings.retention))
        begin_rebuild(publisher, asked)
        rebuilding = Rebuilding(drain, workshop, partial(examine, recall_target=policy.recall_target), policy, evaluate_release)
        canaries = CanaryWatch(open_store(settings.index, settings.home), Embedders(drain, settings), on_fall=check_drift_of)
        canaries.start()
        run(drain, Errands(drain, workshop, settings.home), rebuilding, recorder, settings, stop)
        canaries.stop()
        watcher.stop()
        tools.parsers.close()
        recorder.stop(RECORDING_ENDS_WITHIN_S)
        send_last_spans()


@dataclass(slots=True)
class Embedders:
    """The model that is warm; for a pinned release that another one made, that one, loaded once."""

    drain: Drain
    settings: Settings
    _other: Embedder | None = None

    def __call__(self, release: Release) -> Embedder:
        """The embedder of a release; takes seconds where it is not the one that batches are embedded with."""
        if self.drain.tools.embedder.fingerprint == release.embedder:
            self._other = None
            return self.drain.tools.embedder
        if self._other is None or self._other.fingerprint != release.embedder:
            self._other = embedder_for(release.recipe, self.settings)
        return self._other


def begin_rebuild(publisher: Publisher, asked: Recipe) -> None:
    """Asks for a rebuild where the same recipe makes other passages than those that are stored; else drops what is left of one."""
    store, tools = publisher.store, publisher.tools
    if under_way(store.log):
        return
    if publisher.table.generation != tools.generation:
        ask(store.log, tools.recipe, asked, BY, "passages are cut or stored otherwise than they were")
    else:
        forget_others(store, tools.generation)


def run(drain: Drain, errands: Errands, rebuilding: Rebuilding, recorder: Recorder, settings: Settings, stop: Event) -> None:
    """Batch after batch while there is work, and a piece of a rebuild after each; folds when there is none, or when it is due."""
    idle_since = monotonic()
    while not stop.is_set():
        errands.go_on()
        began = monotonic()
        outcomes = drain.next_batch()
        rebuilding.go_on(monotonic() - began)
        drain.keep_up()
        if outcomes:
            recorder.record(outcomes)
            idle_since = monotonic()
            continue
        if drain.store.inbox.is_empty():
            settings.first_start_file.unlink(missing_ok=True)
            if monotonic() - idle_since > IDLE_S:
                drain.rest()
                idle_since = monotonic()
        if not rebuilding.is_under_way:
            stop.wait(POLL_S)


def sweep_sample(store: Store, settings: Settings) -> None:
    """Puts the sample into the inbox on the very first start."""
    swept = sweep(store, SampleSource())
    planned = len(store.inbox.pending()) + swept.changes.unchanged
    settings.first_start_file.write_text(json.dumps({"documents": planned}))
    _log.info("first start: %d documents of the sample are waiting", planned)


def _mark_ready(settings: Settings) -> None:
    folder = settings.home / "run"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ingester.ready").write_text(str(os.getpid()))
    _log.info("ready")


if __name__ == "__main__":
    try:
        main()
    except Misconfigured as error:
        print(error, file=sys.stderr)
        sys.exit(os.EX_CONFIG)
    # Prefect's client threads may still wait for a server that is gone; they must not hold up the end.
    logging.shutdown()
    os._exit(0)
