"""What is asked of the ingester in the release log, done between its batches: to go back with the head, to purge documents."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from flows.ingest import Drain
from index.errors import GroundworkError
from index.recipe import Recipe, recipe_from
from index.releases import Event
from tasks import purge, requeue, wish
from tasks.prepare import Tools
from tasks.rebuild import forget_others

LOOK_EVERY_S = 0.2
AGAIN_AFTER_S = 10.0
# Generations of which no release can be served any more.
FORGET_EVERY_S = 300.0
_log = logging.getLogger("groundwork.ingester")


@dataclass(slots=True)
class Errands:
    """Does one at a time; what goes wrong is tried again.

    Attributes:
        workshop: makes the tools of a recipe.
        home: the folder whose files are searched for what was purged.
    """

    drain: Drain
    workshop: Callable[[Recipe], Tools]
    home: Path
    _not_before: float = 0.0
    _forget_at: float = field(default_factory=lambda: monotonic() + FORGET_EVERY_S)

    def go_on(self) -> None:
        """Does what is asked for, if there is something."""
        if monotonic() < self._not_before:
            return
        self._not_before = monotonic() + LOOK_EVERY_S
        store = self.drain.store
        store.log.refresh()
        try:
            if asked := requeue.pending(store.log):
                self._go_back(asked)
            elif (asked := next(iter(purge.pending(store.log)), None)) and purge.is_due(store, asked) and not wish.under_way(store.log):
                self._ready()
                purge.purge(store, self.drain.publisher, self.home, asked, self.drain.pause)
            elif monotonic() > self._forget_at and not wish.under_way(store.log):
                self._forget_at = monotonic() + FORGET_EVERY_S
                forget_others(store, self.drain.publisher.table.generation)
        except (OSError, RuntimeError, ValueError, GroundworkError):
            _log.exception("an errand failed; it is tried again in %.0f s", AGAIN_AFTER_S)
            self.drain.unsettle()
            self._not_before = monotonic() + AGAIN_AFTER_S

    def _ready(self) -> None:
        """Nothing is unfinished, and nobody folds."""
        self.drain.settle()
        self.drain.upkeep.finish()

    def _go_back(self, asked: Event) -> None:
        self._ready()
        drain = self.drain
        to = drain.store.log.servable(asked.release)
        same = to.generation == drain.publisher.table.generation
        tools = drain.tools if same else self.workshop(recipe_from(to.recipe) or drain.tools.recipe)
        requeue.requeue(drain.store, drain.publisher, tools, asked)
