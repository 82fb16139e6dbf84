"""Facets: fields of metadata, each with its value as one string, so that an index finds who has it without a look at each row."""

import json
import math
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from index.metadata import Scalar, fields

LONGEST = 100  # characters; of longer ones a hash is kept
_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE)


def facets(metadata: Mapping[str, Any] | str) -> list[str]:
    """What a document is found by: a facet for each value of each field, and another where that reads as a number.

    Args:
        metadata: a mapping, or JSON of one.
    """
    known = fields(json.loads(metadata or "{}") if isinstance(metadata, str) else metadata)
    found: dict[str, None] = {}  # as a set that keeps the order
    for name, values in known.items():
        for value in values if isinstance(values, list) else [values]:
            found[facet(name, text(value))] = None
            if (read := number(text(value))) is not None:
                found[facet(name, read)] = None
    return list(found)


def facet(name: str, value: Scalar) -> str:
    """One field with one value. A number (but for a boolean) stands for all texts that read as this number."""
    is_text = isinstance(value, str | bool)
    # The length of the name tells where it ends, whatever is in it.
    whole = f"{len(name)}:{name}={text(value)}" if is_text else f"{len(name)}:{name}#{float(value) + 0.0!r}"
    return whole if len(whole) <= LONGEST else sha256(whole.encode()).hexdigest()


def text(value: Scalar) -> str:
    """A scalar as SQL's `json_get_string` shows it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def number(shown: str) -> float | None:
    """A number as SQL's `TRY_CAST` reads it; NaN sorts above all others there."""
    if not _NUMBER.fullmatch(shown):
        return None
    read = float(shown)
    return math.inf if math.isnan(read) else read
