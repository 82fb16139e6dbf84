"""Which step runs under which policy in Prefect: the one table of retries, time-outs and caching.

Steps are plain functions of `tasks/`. None of them is cached: each reads the state of the index.
"""

from prefect import task
from prefect.cache_policies import NO_CACHE

from evals.assess import assess
from evals.canary_runs import refresh, run
from evals.monitors import look
from evals.phrasing import phrase_some
from evals.tune import check
from tasks.maintain import maintain
from tasks.reindex import reindex
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
# An index of 10 million rows takes ten minutes; one that gave way to a batch begins again.
REINDEX = task(name="make the vector index", retries=3, retry_delay_seconds=BACK_OFF_S, timeout_seconds=2 * 3600, cache_policy=NO_CACHE)(
    reindex
)
CHECK_RECALL = task(name="measure recall, tune", retries=1, timeout_seconds=3600, cache_policy=NO_CACHE)(check)
ASSESS = task(name="measure several sizes, forecast", retries=1, timeout_seconds=2 * 3600, cache_policy=NO_CACHE)(assess)
REFRESH_CANARIES = task(name="make canaries", retries=1, timeout_seconds=600, cache_policy=NO_CACHE, persist_result=False)(refresh)
# An endpoint is asked ten times at most, and not again once it has failed.
PHRASE_CANARIES = task(name="phrase canaries", retries=0, timeout_seconds=600, cache_policy=NO_CACHE, persist_result=False)(phrase_some)
ASK_CANARIES = task(name="ask canaries", retries=1, timeout_seconds=600, cache_policy=NO_CACHE, persist_result=False)(run)
MOVE_LIVE = task(name="move live", retries=0, timeout_seconds=60, cache_policy=NO_CACHE)(move_live)
WATCH = task(name="compare with the weeks before", retries=1, timeout_seconds=1800, cache_policy=NO_CACHE, persist_result=False)(look)
