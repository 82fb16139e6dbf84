"""Structured filters: from the caller's JSON to a condition on chunk rows, or on one record.

A name reaches into objects by dots, and a value is sought in lists too; see `index.metadata.fields`. Ranges compare single values, and
pass over lists. Tables that were made before there were lists and objects give the same: what is written into them from now on has both,
and what stands there has neither. In those that have no facets, all rows are read.

A caller's text reaches SQL only through `_quoted`. LanceDB's own `Expr.to_sql` is not safe for that: it takes a doubled
quote, or one after a backslash, for escaped already, so that a value could end its literal. (`Expr` as such is safe.)
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from index.errors import BadRequest
from index.facets import facet, number, text
from index.metadata import WHOLE, Scalar, fields

COLUMNS = ("doc_id", "source", "media_type", "uri")
OPERATORS = ("in", "gt", "gte", "lt", "lte")
Ordered = TypeVar("Ordered", str, float)
Operator = Literal["in", "gt", "gte", "lt", "lte"]
_SIGNS = {"in": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


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


def condition(
    terms: tuple[Term, ...],
    hidden: list[str],
    *,
    without_aliases: bool = False,
    with_facets: bool = False,
    without: Sequence[str] = (),
) -> str | None:
    """The SQL condition for chunk rows, also without the documents in `hidden`; None when everything matches.

    `without_aliases` leaves out documents that stand for another one, unless that one is hidden. `with_facets`: the rows have them.
    `without` names documents that are left out besides: they were found before.
    """
    parts = [_sql(term, with_facets) for term in terms]
    if without_aliases:
        orphaned = f" OR duplicate_of IN {_quoted_list(hidden)}" if hidden else ""
        parts.append(f"duplicate_of IS NULL{orphaned}")
    if hidden or without:
        parts.append(f"doc_id NOT IN {_quoted_list([*hidden, *without])}")
    return " AND ".join(f"({part})" for part in parts) or None


def matches(terms: tuple[Term, ...], record: Mapping[str, Any]) -> bool:
    """Whether a document's columns and metadata (a mapping or JSON) satisfy all terms."""
    metadata = record.get("metadata") or {}
    known = fields(json.loads(metadata) if isinstance(metadata, str) else metadata)
    values = {**{name: record.get(name) for name in COLUMNS}, **{f"metadata.{name}": value for name, value in known.items()}}
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
        if not isinstance(value, list) or not value or not all(_is_scalar(item) for item in value):
            raise BadRequest(f"filter.{name}: give a string, a number or a boolean, or {{'in': [...]}} with at least one of these")
        return Term(name, "in", tuple(value))
    if operator not in OPERATORS:
        raise BadRequest(f"filter.{name}: unknown operator {operator!r}; use {', '.join(OPERATORS)}")
    if isinstance(value, bool) or not _is_scalar(value):
        raise BadRequest(f"filter.{name}: {operator!r} compares with a string or a number")
    return Term(name, cast(Operator, operator), (value,))


def _is_scalar(value: Any) -> bool:
    """Whether a value compares: text, a boolean, or a number that a double holds (NaN is on neither side of a comparison)."""
    return abs(value) <= sys.float_info.max if isinstance(value, int | float) else isinstance(value, str)


def _sql(term: Term, with_facets: bool) -> str:
    if term.field in COLUMNS and term.operator == "in":
        return f"{term.field} IN {_quoted_list(text(item) for item in term.values)}"
    if with_facets and term.operator == "in":
        name = term.field.removeprefix("metadata.")
        return f"array_has_any(facets, [{', '.join(_quoted(facet(name, item)) for item in term.values)}])"
    comparisons = [_comparison(term, item) for item in term.values]
    if term.field not in COLUMNS and term.operator == "in":
        comparisons += [_stands_beside(term, item) for item in term.values]
    return " OR ".join(comparisons)


def _stands_beside(term: Term, item: Scalar) -> str:
    """Of rows without facets: whether a list has the value. See `index.metadata.stored`."""
    beside = f"json_get(json_get(metadata, {_quoted(WHOLE)}), 'facets')"
    return f"json_get_string({beside}, {_quoted(facet(term.field.removeprefix('metadata.'), item))}) IS NOT NULL"


def _comparison(term: Term, item: Scalar) -> str:
    if term.field in COLUMNS:
        left, right = term.field, _quoted(text(item))
    else:
        left, right = f"json_get_string(metadata, {_quoted(term.field.removeprefix('metadata.'))})", _quoted(text(item))
        if not isinstance(item, str | bool):
            left, right = f"TRY_CAST({left} AS DOUBLE)", repr(float(item))
    return f"{left} {_SIGNS[term.operator]} {right}"


def _quoted(literal: str) -> str:
    """The text as a literal of standard SQL, where a quote is doubled and nothing else is special."""
    return "'" + literal.replace("'", "''") + "'"


def _quoted_list(literals: Iterable[str]) -> str:
    return f"({', '.join(_quoted(literal) for literal in literals)})"


def _holds(term: Term, value: Any) -> bool:
    """Decides as `_sql` does: any value of a list; columns as text; metadata as text, or as numbers when the filter has a number."""
    if value is None or (isinstance(value, list) and term.operator != "in"):
        return False
    held = value if isinstance(value, list) else [value]
    return any(_compares(term, text(each), item) for each in held for item in term.values)


def _compares(term: Term, shown: str, item: Scalar) -> bool:
    if term.field in COLUMNS or isinstance(item, str | bool):
        return _ordered(term.operator, shown, text(item))
    read = number(shown)
    return read is not None and _ordered(term.operator, read, float(item))


def _ordered(operator: Operator, left: Ordered, right: Ordered) -> bool:
    results = {"in": left == right, "lt": left < right, "lte": left <= right, "gt": left > right, "gte": left >= right}
    return results[operator]
