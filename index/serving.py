"""How much the API takes on at once, and how it treats what it is asked (pure)."""

from dataclasses import dataclass
from pathlib import Path

from index.overrides import overridden


@dataclass(frozen=True, slots=True)
class Serving:
    """What may be changed, with the name that each has in the file of `GROUNDWORK_SERVING`.

    Attributes:
        search_seconds: that a search may take, waiting included, when its caller names no shorter time.
        answer_seconds: that an answer may take, waiting and the language model included.
    """

    search_seconds: float = 10.0
    answer_seconds: float = 60.0


def serving(file: Path | None) -> Serving:
    """That of a TOML file, and the defaults of what it leaves out; raises `Misconfigured` when it can't be used."""
    return overridden(Serving, file, "GROUNDWORK_SERVING")
