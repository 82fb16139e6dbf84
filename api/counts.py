"""What processes count: one for itself, or several workers together, told as one.

Workers count in files that outlive them. A file belongs to a number, not to a process: who is given the number goes on from what it finds
there. So no count falls when a worker is replaced or killed, and there are never more files than numbers.
"""

import os
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

_shared: list[Path] = []


def share(folder: Path, number: int) -> None:
    """From now on what this process counts is told by all that share the folder; call it before anything is counted.

    No two processes may have the same number at the same time.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.MultiProcessValue(lambda: number)  # as the library's documentation has it for numbered workers
    _shared[:] = [folder]


def forget_gauges(folder: Path, number: int) -> None:
    """The process with this number has ended: nothing is in its hands any more. What it has counted stays."""
    mark_process_dead(number, str(folder))


def told(own: CollectorRegistry) -> bytes:
    """All counts as Prometheus' text. `own` has those of an app, where it counts for itself; the library's registry has the others."""
    if not _shared:
        return generate_latest(own) + generate_latest(REGISTRY)
    together = CollectorRegistry()
    MultiProcessCollector(together, str(_shared[0]))
    return generate_latest(together)
