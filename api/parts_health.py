"""Which part of the platform is ill, why, and what to do; in words that anybody may read."""

import shutil
from dataclasses import dataclass
from threading import Thread
from time import monotonic
from typing import Literal

import msgspec

from api.freshness import Freshness
from api.platform import Platform
from api.pools import Pools
from api.rerankers import RerankerInBackground
from api.runs import Runs
from api.stage_metrics import language_model_works
from index.settings import Settings

State = Literal["ok", "degraded", "down"]
RANKS: tuple[State, ...] = ("ok", "degraded", "down")
# Without these nothing is served.
VITAL = ("index", "model", "search")
MIB = 1024 * 1024
LITTLE_DISK, NO_DISK = 2048 * MIB, 512 * MIB
QUARANTINED_SHARE = 0.1
ASKED_EVERY_S = 10.0


class PartReply(msgspec.Struct):
    """How a part is; where it is not ok, why, and what to do."""

    state: State
    reason: str | None = None
    do: str | None = None


class HealthReply(msgspec.Struct):
    """The worst of its parts; `down` only where nothing can be served."""

    status: State
    parts: dict[str, PartReply]


@dataclass(slots=True)
class PrefectProbe:
    """Whether Prefect answers, as it was when it was asked last: nobody waits for it."""

    runs: Runs
    _works: bool = True
    _asked_at: float = -ASKED_EVERY_S
    _asking: Thread | None = None

    def works(self) -> bool:
        """The last answer; a new one is fetched beside, at most every ten seconds."""
        if monotonic() - self._asked_at >= ASKED_EVERY_S:
            self._asked_at = monotonic()
            self._asking = Thread(target=self._ask, name="prefect probe", daemon=True)
            self._asking.start()
        return self._works

    def _ask(self) -> None:
        self._works = self.runs.answers()


def overall(parts: dict[str, PartReply]) -> HealthReply:
    """The parts with the worst of them, where only a vital one can be the end of it."""
    worst = max((_weight(name, part) for name, part in parts.items()), default=0)
    return HealthReply(RANKS[worst], parts)


def _weight(name: str, part: PartReply) -> int:
    rank = RANKS.index(part.state)
    return rank if name in VITAL else min(rank, 1)


def looked_at(platform: Platform, monitor: Freshness, pools: Pools, prefect: PrefectProbe, ready: dict[str, str]) -> dict[str, PartReply]:
    """Each part; `ready` is what the checks of `/health/ready` found for those that serve."""
    return _vital(ready) | {
        "ingester": _ingester(monitor),
        "quarantine": _quarantine(platform.store.ledger.counts()),
        "disk": disk(shutil.disk_usage(platform.settings.home).free),
        "pools": _pools(pools),
        "prefect": _prefect(prefect),
        "language_model": language_model(platform.settings),
        "reranker": reranker(platform.reranker),
    }


def disk(free: int) -> PartReply:
    """What so many free bytes mean."""
    if free > LITTLE_DISK:
        return PartReply("ok")
    reason = f"{free // MIB} MiB of the disk are free"
    return PartReply("down" if free < NO_DISK else "degraded", reason, "make room: without it no document is taken")


def _vital(ready: dict[str, str]) -> dict[str, PartReply]:
    down = [name for name in VITAL if ready[name] != "ok"]
    todo = {
        "index": "see whether the ingester runs and the storage answers",
        "model": "see the API's log; it may still be loading",
        "search": "see the API's log",
    }
    for name in down[1:]:
        todo[name] = f"see to {down[0]} first"
    return {name: PartReply("down", ready[name], todo[name]) if name in down else PartReply("ok") for name in VITAL}


def _ingester(monitor: Freshness) -> PartReply:
    if monitor.store.inbox.trouble():
        return PartReply("down", "a batch fails for no fault of its documents", "see the ingester's log")
    if monitor.alarm.state == "stuck":
        return PartReply("down", monitor.alarm.detail, "see whether the ingester runs")
    if monitor.alarm.state == "late":
        return PartReply("degraded", monitor.alarm.detail, "see GET /v1/freshness for what waits")
    return PartReply("ok")


def _quarantine(counts: dict[str, int]) -> PartReply:
    waiting, known = counts.get("quarantined", 0), sum(counts.values())
    if waiting <= QUARANTINED_SHARE * known:
        return PartReply("ok")
    return PartReply("degraded", f"{waiting} of {known} documents are in quarantine", "GET /v1/documents?state=quarantined has the reasons")


def _pools(pools: Pools) -> PartReply:
    full = [name for name, pool in pools.by_name.items() if pool.is_full and pool.waiting >= pool.queue]
    if not full:
        return PartReply("ok")
    return PartReply("degraded", f"requests are refused: {', '.join(full)}", "send less, or add workers")


def _prefect(probe: PrefectProbe) -> PartReply:
    if probe.works():
        return PartReply("ok")
    return PartReply("degraded", "Prefect does not answer", "searching and ingesting go on; schedules wait until it is back")


def language_model(settings: Settings) -> PartReply:
    """Half a setting, or a model whose last answer was not taken, leaves answers to the sentences of the sources."""
    if bool(settings.llm_url) != bool(settings.llm_model):
        missing = "GROUNDWORK_LLM_MODEL" if settings.llm_url else "GROUNDWORK_LLM_URL"
        return PartReply("degraded", f"{missing} is not set", "set it; answers are extractive until then")
    if not settings.llm_url or language_model_works() is not False:
        return PartReply("ok")
    return PartReply("degraded", "the last answer was not the language model's", "see whether its endpoint answers; answers are extractive")


def reranker(loaded: RerankerInBackground) -> PartReply:
    """One that can't be loaded refuses searches that ask for it; all others go on."""
    if not loaded.failed:
        return PartReply("ok")
    return PartReply("degraded", "it can't be loaded", "see the API's log, then reload it; searches without `rerank` go on")
