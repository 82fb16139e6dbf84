"""Metrics that are looked up in the index when they are asked for; the others are told even where that fails."""

import logging
from collections.abc import Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.health import FAILURES

_log = logging.getLogger("groundwork.api")


class StoredMetrics(Collector):
    """Those of each part, by its name, and which parts could not be read: counts of errors are needed most while the storage fails."""

    def __init__(self, parts: Mapping[str, Collector]) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        """What can be read, and a 1 for each part that can't."""
        unreadable = GaugeMetricFamily("groundwork_metrics_unreadable", "1 while these can't be read from the index.", labels=["part"])
        for name, part in self._parts.items():
            try:
                yield from list(part.collect())
            except FAILURES as error:
                _log.warning("the metrics of the %s can't be read: %s", name, error)
                unreadable.add_metric([name], 1)
            else:
                unreadable.add_metric([name], 0)
        yield unreadable
