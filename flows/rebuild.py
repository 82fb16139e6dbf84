"""A rebuild beside the ingester's batches: a piece after each, so that neither waits long for the other."""

import logging
from dataclasses import dataclass
from time import monotonic

from flows.ingest import Drain
from index.errors import BatchFailed, Unavailable
from tasks.rebuild import Rebuild

SECONDS_A_PIECE = 0.5
AGAIN_AFTER_S = 60.0
TELL_EVERY_S = 30.0
_log = logging.getLogger("groundwork.ingester")


@dataclass(slots=True)
class Rebuilding:
    """Goes on with a rebuild, if there is one, until its generation is served."""

    drain: Drain
    rebuild: Rebuild | None
    _not_before: float = 0.0
    _told_at: float = 0.0

    @property
    def is_under_way(self) -> bool:
        """Whether there is something to do now."""
        return self.rebuild is not None and monotonic() >= self._not_before

    def go_on(self) -> None:
        """Does a piece. After a failure the live generation stays as it is, and the rebuild goes on a minute later where it was."""
        if self.rebuild is None or not self.is_under_way:
            return
        try:
            self.drain.settle()
            if self.rebuild.step(SECONDS_A_PIECE):
                self.rebuild = None
            elif monotonic() - self._told_at > TELL_EVERY_S:
                self._told_at = monotonic()
                _log.info("rebuilding: %d documents to do, %d texts embedded so far", self.rebuild.remaining(), self.rebuild.embedded)
        except (OSError, RuntimeError, ValueError, BatchFailed, Unavailable):
            _log.exception("the rebuild failed; it goes on in %.0f s, searches stay on the generation before it", AGAIN_AFTER_S)
            self._not_before = monotonic() + AGAIN_AFTER_S
            self.drain.unsettle()
