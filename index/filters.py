"""Structured filters: from the caller's JSON to a condition on chunk rows, or on one record.

Every literal is rendered by LanceDB's own expression builder; no text of a caller is pasted into SQL.
"""

import json
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from lancedb.expr import Expr, col, lit

from index.errors import BadRequest

COLUMNS = ("doc_id", "source", "media_type", "uri")
OPERATORS = ("in", "gt", "gte", "lt", "lte")
Scalar = str | int | float | bool
Ordered = TypeVar("Ordered", str, float)
Operator = Literal["in", "gt", "gte", "lt", "lte"]
_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison: `field` is a column or `metadata.<name>`; `in` has a tuple of values."""

    field: str
    operator: Operator
    values: tuple[Scalar, ...]


def parse(filter_: Mapping[str, Any] | None, known: Mapping[str, str] | None = None) -> tuple[Term, ...]:
    """The terms of a filter, all of which must hold.

    Args:
        filter_: `{"field": value}`, `{"field": {"in": [...]}}` or `{"field": {"gte": x, "lt": y}}`.
        known: metadata fields of the release; None accepts any.

    Raises:
        BadRequest: an unknown field, an unknown operator or a value that can't be compared.
    """
    terms = []
    for name, condition in (filter_ or {}).items():
        _check_field(name, known)
        spec = condition if isinstance(condition, dict) else {"in": [condition]}
        if not spec:
            raise BadRequest(f"filter.{name} is empty: give a value or one of {', '.join(OPERATORS)}")
        terms += [_term(name, operator, value) for operator, value in spec.items()]
    return tuple(terms)


def condition(terms: tuple[Term, ...], hidden: list[str]) -> str | None:
    """The SQL condition for chunk rows, also without the documents in `hidden`; None when everything matches."""
    parts = [_sql(term) for term in terms]
    if hidden:
        parts.append((~col("doc_id").isin(list(hidden))).to_sql())
    return " AND ".join(f"({part})" for part in parts) or None


def matches(terms: tuple[Term, ...], record: Mapping[str, Any]) -> bool:
    """Whether a document's columns and metadata (a mapping or JSON) satisfy all terms."""
    metadata = record.get("metadata") or {}
    fields = json.loads(metadata) if isinstance(metadata, str) else metadata
    values = {**{name: record.get(name) for name in COLUMNS}, **{f"metadata.{name}": value for name, value in fields.items()}}
    return all(_holds(term, values.get(term.field)) for term in terms)


def _check_field(name: str, known: Mapping[str, str] | None) -> None:
    if name in COLUMNS:
        return
    metadata_field = name.removeprefix("metadata.")
    if metadata_field == name or not metadata_field:
        raise BadRequest(f"filter: unknown field {name!r}; use {', '.join(COLUMNS)} or metadata.<name>")
    if known is not None and metadata_field not in known:
        raise BadRequest(f"filter: no document of this release has {name!r}; it knows {', '.join(sorted(known)[:20]) or 'no metadata'}")


def _term(name: str, operator: str, value: Any) -> Term:
    if operator == "in":
        values = value if isinstance(value, list) else [value]
        if not values or not all(_is_scalar(item) for item in values):
            raise BadRequest(f"filter.{name}: give a string, a number or a boolean, or {{'in': [...]}} with at least one of these")
        return Term(name, "in", tuple(values))
    if operator not in OPERATORS:
        raise BadRequest(f"filter.{name}: unknown operator {operator!r}; use {', '.join(OPERATORS)}")
    if isinstance(value, bool) or not _is_scalar(value):
        raise BadRequest(f"filter.{name}: {operator!r} compares with a string or a number")
    return Term(name, cast(Operator, operator), (value,))


def _is_scalar(value: Any) -> bool:
    """Whether a value compares: text, a boolean, or a number that a double holds (NaN is on neither side of a comparison)."""
    return abs(value) <= sys.float_info.max if isinstance(value, int | float) else isinstance(value, str)


def _sql(term: Term) -> str:
    if term.field in COLUMNS:
        return _column_condition(term).to_sql()
    value = f"json_get_string(metadata, {lit(term.field.removeprefix('metadata.')).to_sql()})"
    if term.operator == "in":
        return " OR ".join(_equals(value, item) for item in term.values)
    sign = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}[term.operator]
    bound = term.values[0]
    left = value if isinstance(bound, str) else f"TRY_CAST({value} AS DOUBLE)"
    return f"{left} {sign} {lit(bound if isinstance(bound, str) else float(bound)).to_sql()}"


def _equals(value: str, item: Scalar) -> str:
    if isinstance(item, str | bool):
        return f"{value} = {lit(_text(item)).to_sql()}"
    return f"TRY_CAST({value} AS DOUBLE) = {lit(float(item)).to_sql()}"


def _column_condition(term: Term) -> Expr:
    values = [_text(value) for value in term.values]
    if term.operator == "in":
        return col(term.field).isin(values)
    column, bound = col(term.field), lit(values[0])
    return {"gt": column.gt, "gte": column.gte, "lt": column.lt, "lte": column.lte}[term.operator](bound)


def _holds(term: Term, value: Any) -> bool:
    """Decides as `_sql` does: columns compare as text; metadata as text, or as numbers when the filter has a number."""
    if value is None:
        return False
    return any(_compares(term, _text(value), item) for item in term.values)


def _compares(term: Term, text: str, item: Scalar) -> bool:
    if term.field in COLUMNS or isinstance(item, str | bool):
        return _ordered(term.operator, text, _text(item))
    number = _number(text)
    return number is not None and _ordered(term.operator, number, float(item))


def _ordered(operator: Operator, left: Ordered, right: Ordered) -> bool:
    results = {"in": left == right, "lt": left < right, "lte": left <= right, "gt": left > right, "gte": left >= right}
    return results[operator]


def _text(value: Scalar) -> str:
    """A scalar as SQL's `json_get_string` shows it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(text: str) -> float | None:
    """A number as SQL's `TRY_CAST` reads it; NaN sorts above all others there."""
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return math.inf if math.isnan(number) else number
