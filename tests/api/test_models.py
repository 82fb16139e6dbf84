"""Models that are loaded, and what becomes of those that nobody needs."""

import gc
import logging
from weakref import ref

import pytest

from api.models import Models, set_aside
from index.errors import BadRequest, Misconfigured
from index.recipe import Recipe
from tests.fakes import HashingEmbedder


class Circular(HashingEmbedder):
    """Refers to itself, as real models do: only the garbage collector can free it."""

    def __init__(self) -> None:
        super().__init__()
        self.itself = self


@pytest.mark.thorough
def test_what_is_loaded_is_not_looked_at_by_each_garbage_collection():
    gc.unfreeze()
    Models(lambda _: Circular(), Recipe(), set_aside).tried(Recipe())
    assert gc.get_freeze_count() > 50_000
    gc.unfreeze()


@pytest.mark.thorough
def test_a_model_that_nobody_needs_is_freed():
    models = Models(lambda _: Circular(), Recipe(), set_aside)
    other = ref(models.tried(Recipe(embedder="another")))
    models.keep_only([])
    assert other() is None
    gc.unfreeze()


def test_a_model_that_somebody_asks_for_and_that_can_not_be_is_no_error_of_ours(caplog):
    def load(recipe: Recipe) -> HashingEmbedder:
        raise Misconfigured(f"there is no {recipe.embedder}")

    with pytest.raises(BadRequest, match="there is no model of that name"):
        Models(load, Recipe()).tried(Recipe(embedder="model of that name"))
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
