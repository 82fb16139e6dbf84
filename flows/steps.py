"""Which step runs under which policy in Prefect: the one table of retries, time-outs and caching.

Steps are plain functions of `tasks/`. None of them is cached: each reads the state of the index.
"""

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.maintain import maintain
from tasks.rollback import move_live
from tasks.sweep import sweep

BACK_OFF_S = [2.0, 10.0, 60.0]
# A sweep waits as long as the inbox is full.
SWEEP = task(name="compare with the index", retries=3, retry_delay_seconds=BACK_OFF_S, timeout_seconds=24 * 3600, cache_policy=NO_CACHE)(
    sweep
)
MAINTAIN = task(name="fold, retire, clean", retries=3, retry_delay_seconds=BACK_OFF_S, timeout_seconds=3600, cache_policy=NO_CACHE)(
    maintain
)
MOVE_LIVE = task(name="move live", retries=0, timeout_seconds=60, cache_policy=NO_CACHE)(move_live)
