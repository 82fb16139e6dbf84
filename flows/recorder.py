"""Shows the ingester's work in Prefect: one flow run per burst, one task run per batch, an artifact at its end.

Recording happens in a thread of its own, behind a bounded queue. When Prefect is slow or gone, records are
dropped; the work that they tell of is never delayed, failed or repeated.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from queue import Empty, Full, Queue
from threading import Event, Thread
from time import monotonic
from uuid import uuid4

import httpx
from prefect import flow, task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import PrefectException
from prefect.states import Completed, Crashed, Failed, Running

from flows.burst_report import report, summary
from tasks.batch import Outcome

QUIET_S = 10.0
LONGEST_S = 300.0
TRY_AGAIN_S = 2.0
MAX_TASK_RUNS = 30
BATCH_STOPPED = "groundwork.batch.stopped"
BATCH_UNUSUAL = "groundwork.batch.unusual"
_log = logging.getLogger("groundwork.recorder")


@flow(name="ingest", description="A burst of documents from the inbox to the index, batch after batch.")
def ingest() -> None:
    """Names the flow that bursts are recorded under; the ingester does the work itself."""


@task(name="index batch", description="Parse, chunk, validate, embed, publish and check one batch; it ends in one release.")
def index_batch() -> None:
    """Names the task that batches are recorded under."""


class Recorder:
    """Takes outcomes from the ingester and tells Prefect about them."""

    def __init__(self) -> None:
        self._queue: Queue[Sequence[Outcome]] = Queue(maxsize=1000)
        self._stopping = Event()
        self._away = False
        self._thread = Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Begins to record. The thread ends with the process, whatever Prefect does."""
        self._thread.start()

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Takes note of a batch; never blocks."""
        try:
            self._queue.put_nowait(outcomes)
        except Full:
            _log.warning("Prefect is too slow to record every batch; one is left out")

    def stop(self, within_s: float) -> None:
        """Ends the burst that is being recorded, if Prefect takes that in time."""
        self._stopping.set()
        self.record([])  # wakes the thread
        self._thread.join(within_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            outcomes = self._queue.get()
            while outcomes and not self._stopping.is_set() and not self._burst(outcomes):
                self._stopping.wait(TRY_AGAIN_S)

    def _burst(self, first: Sequence[Outcome]) -> bool:
        """Records a burst that begins with these. False: try again, Prefect did not even take its begin (it may be starting)."""
        begun = False
        try:
            with get_client(sync_client=True) as client:
                _end_abandoned(client)
                run = client.create_flow_run(ingest, name=f"from release {first[0].release}", state=Running(), tags=["ingest"])
                begun = True
                rows = self._follow(client, run, first)
                artifact = ArtifactCreate(
                    key="ingest-burst", type="markdown", description="What this burst did", data=report(rows), flow_run_id=run.id
                )
                client.create_artifact(artifact)
                client.set_flow_run_state(run.id, _end(rows), force=True)
        except (httpx.HTTPError, PrefectException, OSError, RuntimeError, ValueError) as error:
            if begun or not self._away:
                _log.warning("Prefect did not take the record of a burst: %s", type(error).__name__)
            self._away = True
            return begun
        self._away = False
        return True

    def _follow(self, client: SyncPrefectClient, run: FlowRun, first: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes of a run, which stays open until nothing has come for a while, and not for ever."""
        rows = [*first]
        recorded = _record_tasks(client, run, first, 0)
        began = last = monotonic()
        while not self._stopping.is_set() and monotonic() - last < QUIET_S and monotonic() - began < LONGEST_S:
            try:
                outcomes = self._queue.get(timeout=0.5)
            except Empty:
                continue
            last = monotonic()
            rows += outcomes
            recorded = _record_tasks(client, run, outcomes, recorded)
        return rows


def _end_abandoned(client: SyncPrefectClient) -> None:
    """Ends the runs that an ingester has left open when it was killed: there is one ingester, and it begins a run now."""
    still_running = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING])))
    for run in client.read_flow_runs(flow_filter=FlowFilter(name=FlowFilterName(any_=[ingest.name])), flow_run_filter=still_running):
        client.set_flow_run_state(run.id, Crashed(message="the ingester ended before this burst was recorded to its end"), force=True)


def _record_tasks(client: SyncPrefectClient, run: FlowRun, outcomes: Sequence[Outcome], recorded: int) -> int:
    _raise_alarms(client, outcomes)
    for outcome in outcomes:
        if recorded < MAX_TASK_RUNS:
            state: State[None] = Completed(message=summary([outcome]))
            client.create_task_run(index_batch, run.id, dynamic_key=str(recorded), name=f"release {outcome.release}", state=state)
            recorded += 1
    return recorded


def _raise_alarms(client: SyncPrefectClient, outcomes: Sequence[Outcome]) -> None:
    """An event for each batch that was stopped, or is unusual, that automations can act upon."""
    for outcome in outcomes:
        detail = outcome.stopped or "; ".join(outcome.unusual)
        if detail:
            resource = {"prefect.resource.id": "groundwork.index", "prefect.resource.name": "Groundwork"}
            kind = BATCH_STOPPED if outcome.stopped else BATCH_UNUSUAL
            payload = {"detail": detail, "documents": outcome.documents, "release": outcome.release}
            event = {"id": str(uuid4()), "occurred": datetime.now(UTC).isoformat(), "event": kind, "resource": resource}
            httpx.post(f"{str(client.api_url).rstrip('/')}/events", json=[event | {"payload": payload}], timeout=10.0).raise_for_status()


def _end(rows: Sequence[Outcome]) -> State[None]:
    """How a burst ends: failed when a batch of it was stopped, for then somebody has to look."""
    stopped = [row.stopped for row in rows if row.stopped]
    return Failed(message=stopped[-1]) if stopped else Completed(message=summary(rows))
