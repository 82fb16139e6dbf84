"""The tools of a recipe."""

import logging
import sys
from dataclasses import dataclass, replace
from threading import Event

from index.embedder import embedder_of
from index.errors import Unavailable
from index.recipe import Recipe
from index.settings import Settings
from tasks.chunk import chunker_for
from tasks.prepare import Tools
from tasks.validate import Contract, thresholds

SERVICE_POLL_S = 5.0
_log = logging.getLogger("groundwork.ingester")


@dataclass(slots=True)
class Workshop:
    """Makes tools that share what costs much: the processes that parse."""

    settings: Settings
    made: Tools | None = None

    def __call__(self, recipe: Recipe) -> Tools:
        """Loads the model, in seconds; raises `Misconfigured` when it can't be, `Unavailable` when its service does not answer."""
        settings = self.settings
        embedder = embedder_of(recipe, settings)
        contract = Contract(embedder.dimensions, embedder.max_tokens, thresholds(settings.contract))
        chunker = chunker_for(embedder, recipe.chunk_tokens)
        if self.made is None:
            self.made = Tools(embedder, chunker, contract, near_duplicate=settings.near_duplicate)
        return replace(self.made, embedder=embedder, chunker=chunker, contract=contract, vector_bits=recipe.vector_bits, recipe=recipe)

    def waiting(self, recipe: Recipe, stop: Event) -> Tools:
        """The same, for as long as a service does not answer; ends the process when it is to `stop`."""
        while True:
            try:
                return self(recipe)
            except Unavailable as error:
                _log.warning("%s; trying again", error)
                if stop.wait(SERVICE_POLL_S):
                    sys.exit()
