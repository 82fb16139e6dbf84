"""Metadata: what somebody says about a document, as fields that filters name, and as it is stored beside a passage."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from index.errors import BadRequest

Scalar = str | int | float | bool
Field = Scalar | list[Scalar]
Steps = tuple[str, ...]
MAX_BYTES = 64 * 1024
# Each of them is in an index, once for each passage.
MAX_NESTED = 1_000
DEEPEST = 8
# The key beside the stored fields under which metadata is that is more than fields. No filter can name it.
WHOLE = ""


def fields(metadata: Mapping[str, Any]) -> dict[str, Field]:
    """What filters know, by name: one value, or a list of those that a list holds, itself or in its objects.

    `a.b` is the key `b` of the object `a`. Null is no value. Where several keys lead to one name, that with the fewest steps counts:
    a key with a dot in it goes before the key of an object.
    """
    if _is_flat(metadata):
        return dict(metadata)
    found: dict[Steps, list[Scalar]] = {}
    listed: set[Steps] = set()
    for steps, value, in_list in _values(metadata):
        if value is not None:
            found.setdefault(steps, []).append(value)
            listed |= {steps} if in_list else set()
    named: dict[str, Field] = {}
    for steps in sorted(found, key=lambda steps: (len(steps), steps)):
        named.setdefault(".".join(steps), found[steps] if steps in listed else found[steps][0])
    return named


def check_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """The metadata itself; raises `BadRequest` unless it is JSON within limits, with finite numbers of 64 bits."""
    nested = 0
    for steps, value, in_list in _values(metadata):
        name = ".".join(("metadata", *steps))
        if value is not None and not isinstance(value, Scalar):
            raise BadRequest(f"{name} must be a string, a number or a boolean, or a list or an object of these")
        fits = abs(value) < 2**63 if isinstance(value, int) else not isinstance(value, float) or math.isfinite(value)
        if not fits:
            raise BadRequest(f"{name} must be finite and fit into 64 bits; send it as a string to keep it as it is")
        nested += in_list or len(steps) > 1
        if nested > MAX_NESTED:
            raise BadRequest(f"metadata must not hold more than {MAX_NESTED} values in lists and objects")
    if len(json.dumps(metadata).encode()) > MAX_BYTES:
        raise BadRequest(f"metadata must not be larger than {MAX_BYTES} bytes as JSON")
    return metadata


def stored(metadata: Mapping[str, Any], facets: Sequence[str] = ()) -> str:
    """As JSON of which SQL can compare each field that has one value; `shown` gives back what it was made from.

    `facets` are those of the metadata, for a table that has no column of them.
    """
    if _is_flat(metadata):
        return json.dumps(metadata, sort_keys=True)
    single = {name: value for name, value in fields(metadata).items() if not isinstance(value, list)}
    whole = {"metadata": metadata, "facets": dict.fromkeys(facets, True)}
    return json.dumps(single | {WHOLE: whole}, sort_keys=True)


def shown(row: str | None) -> dict[str, Any]:
    """The metadata of a stored row."""
    found: dict[str, Any] = json.loads(row or "{}")
    whole = found.get(WHOLE)
    return dict(whole["metadata"]) if isinstance(whole, dict) else found


def _is_flat(metadata: Mapping[str, Any]) -> bool:
    return all(isinstance(value, Scalar) for value in metadata.values())


def _values(value: Any, steps: Steps = (), in_list: bool = False, depth: int = 0) -> Iterator[tuple[Steps, Any, bool]]:
    """All that is no list and no object, with the keys that lead there, and whether a list is on the way."""
    if depth > DEEPEST:
        raise BadRequest(f"{'.'.join(('metadata', *steps))}: lists and objects are nested more than {DEEPEST} deep")
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _values(inner, (*steps, key), in_list, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner, steps, True, depth + 1)  # noqa: FBT003 - the recursion is its only caller
    else:
        yield steps, value, in_list
