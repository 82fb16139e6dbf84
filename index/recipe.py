"""What a generation is made with."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from index.settings import Settings
from index.vectors import HALF_PRECISION


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a setting or a rebuild can change of a generation.

    Attributes:
        embedder: name or path of the model; None is the bundled one.
        url: of the service that runs it; None is this machine.
        dimensions: how many of its vectors' are kept; 0: all.
        chunk_tokens: the longest passage, title and headings included.
        vector_bits: of each stored number.
    """

    embedder: str | None = None
    url: str | None = None
    dimensions: int = 0
    chunk_tokens: int = 256
    vector_bits: int = HALF_PRECISION

    def as_json(self) -> dict[str, Any]:
        """As it stands in the release log."""
        return asdict(self)


def recipe_from(found: Mapping[str, Any]) -> Recipe | None:
    """The recipe as the release log has it; None where nothing is known: releases of earlier code have none."""
    return Recipe(**found) if found else None


def recipe_of(settings: Settings, vector_bits: int) -> Recipe:
    """What the settings ask for."""
    return Recipe(settings.embedder, settings.embedder_url, 0, settings.chunk_tokens, vector_bits)
