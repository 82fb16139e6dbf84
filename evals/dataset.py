"""Golden questions to evaluate with: a set by its name, one part of it, or a sample."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index.errors import BadRequest
from index.golden import GoldenQuestion, Part
from index.golden_sets import GoldenSets
from tasks import golden

FOLDER = golden.PACKAGED
DEFAULT = golden.DEFAULT
# Two evaluations with the same sample size ask the same questions, so they can be compared.
SAMPLE_SEED = 20_260_101


def load(
    name: str = DEFAULT, stored: GoldenSets | None = None, part: Part | None = None, folder: Path = FOLDER
) -> tuple[GoldenQuestion, ...]:
    """The questions of a golden set, or of one `part` of it. `NotFound` when there is none with this name, `BadRequest` for an empty part.

    Without `stored` only the packaged sets are known; with it a set of the index goes before a packaged one of its name.
    """
    found = golden.questions(stored, name, folder)
    questions = tuple(question for question in found if part in (None, question.part))
    if questions:
        return questions
    raise BadRequest(f"the golden set {name!r} has no question in its {part} part")


def sample(questions: Sequence[GoldenQuestion], size: int | None) -> tuple[GoldenQuestion, ...]:
    """`size` of the questions at random, in their order; all when there are not more, or for None."""
    if size is None or size >= len(questions):
        return tuple(questions)
    if size < 1:
        raise BadRequest("sample must be at least 1; leave it out to ask all questions")
    chosen = np.random.default_rng(SAMPLE_SEED).choice(len(questions), size, replace=False)
    return tuple(questions[i] for i in sorted(chosen))
