"""Models that are loaded, and what becomes of those that nobody needs."""

import gc
from weakref import ref

from api.models import Models
from index.recipe import Recipe
from tests.fakes import HashingEmbedder


class Circular(HashingEmbedder):
    """Refers to itself, as real models do: only the garbage collector can free it."""

    def __init__(self) -> None:
        super().__init__()
        self.itself = self


def test_what_is_loaded_is_not_looked_at_by_each_garbage_collection():
    gc.unfreeze()
    Models(lambda _: Circular(), Recipe()).tried(Recipe())
    assert gc.get_freeze_count() > 50_000
    gc.unfreeze()


def test_a_model_that_nobody_needs_is_freed():
    models = Models(lambda _: Circular(), Recipe())
    other = ref(models.tried(Recipe(embedder="another")))
    models.keep_only([])
    assert other() is None
    gc.unfreeze()
