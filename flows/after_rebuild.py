"""A full evaluation of each release that a rebuild has made, started from the ingester without waiting for it."""

import logging
from threading import Thread
from time import monotonic, sleep

import httpx
from prefect.deployments import run_deployment
from prefect.exceptions import PrefectException

DEPLOYMENT = "evaluate/evaluate"
TRY_FOR_S = 1_800.0
TRY_AGAIN_S = 10.0
_log = logging.getLogger("groundwork.ingester")


def evaluate_release(release: int) -> None:
    """Starts it in a thread of its own, which ends with the process: Prefect may be slow, starting or gone."""
    Thread(target=start, args=(release,), name="evaluate after rebuild", daemon=True).start()


def start(release: int, try_for_s: float = TRY_FOR_S) -> bool:
    """Starts the evaluation, once however often this is called; False when Prefect did not take it in time."""
    ends = monotonic() + try_for_s
    while True:
        try:
            run_deployment(
                DEPLOYMENT, parameters={"release": release}, timeout=0, as_subflow=False, idempotency_key=f"after-rebuild-{release}"
            )
        except (httpx.HTTPError, PrefectException, OSError, RuntimeError) as error:
            if monotonic() + TRY_AGAIN_S > ends:
                _log.warning("release %d was not evaluated after its rebuild: Prefect does not take it (%s)", release, type(error).__name__)
                return False
            sleep(TRY_AGAIN_S)
        else:
            _log.info("release %d is evaluated", release)
            return True
