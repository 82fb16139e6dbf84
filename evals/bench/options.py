"""What the caller of a benchmark may set."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """None leaves a part's own default. What `rows` and `docs` count is said by each part."""

    rows: int | None = None
    docs: int | None = None
    data: Path | None = None
    dims: int | None = None
    seconds: float | None = None
