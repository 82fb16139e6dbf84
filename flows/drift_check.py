"""A check of drift that is started when there is something new to see, and not waited for."""

import logging
from threading import Thread

import httpx
from prefect.deployments import run_deployment
from prefect.exceptions import PrefectException

DEPLOYMENT = "drift/drift"
_log = logging.getLogger("groundwork.flows")


def check_drift(key: str) -> bool:
    """Starts one, once however often this is called with a key; False when Prefect does not take it: there is one each hour anyway."""
    try:
        run_deployment(DEPLOYMENT, timeout=0, as_subflow=False, idempotency_key=key)
    except (httpx.HTTPError, PrefectException, OSError, RuntimeError) as error:
        _log.warning("no check of drift was started, the next is on schedule: Prefect does not take it (%s)", type(error).__name__)
        return False
    return True


def check_drift_of(release: int) -> None:
    """Starts one after a fall of the canaries, in a thread that ends with the process: Prefect may be slow or gone."""
    Thread(target=check_drift, args=(f"canaries-fell-{release}",), name="check drift", daemon=True).start()
