"""CSV to a Markdown table, JSON to nested lists."""

import csv
import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

from index.errors import Rejected
from tasks.formats.decode import decode
from tasks.formats.markup import table
from tasks.formats.parsed import MAX_BYTES, Parsed

MAX_DEPTH = 100
_DELIMITERS = ",;\t|"
_SAMPLE = 16 * 1024


def read_csv(content: bytes, charset: str | None) -> Parsed:
    """The rows as one table; the first row is its header."""
    text = decode(content, charset)
    csv.field_size_limit(MAX_BYTES)
    try:
        # Not `Sniffer`: its expressions take minutes on hostile quotes, and it takes letters for delimiters.
        rows = [row for row in csv.reader(StringIO(text, newline=""), delimiter=_delimiter(text)) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise Rejected("corrupt", f"the CSV can't be read: {error}") from None
    return Parsed(None, table(rows), "markdown")


def _delimiter(text: str) -> str:
    """The candidate that cuts the first lines most often, and into equal parts where two do so."""
    lines = [line for line in text[:_SAMPLE].split("\n")[:20] if line.strip()]
    counts = {mark: [line.count(mark) for line in lines] for mark in _DELIMITERS}
    return max(_DELIMITERS, key=lambda mark: (len(set(counts[mark])) == 1 and sum(counts[mark]) > 0, sum(counts[mark])))


def read_json(content: bytes, charset: str | None) -> Parsed:
    """Names and values as nested lists; numbers stay as they are written."""
    text = decode(content, charset)
    try:
        value = json.loads(text, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        value = _lines(text, error)
    except RecursionError:
        raise Rejected("too_deep", f"the JSON is nested more than {MAX_DEPTH} levels deep") from None
    return Parsed(None, "\n".join(_outline(value, 0)), "markdown")


def _lines(text: str, reason: json.JSONDecodeError) -> list[Any]:
    """The values of one JSON document per line; raises `Rejected` with corrupt when that is not it either."""
    try:
        return [json.loads(line, parse_int=str, parse_float=str) for line in text.splitlines() if line.strip()]
    except json.JSONDecodeError:
        raise Rejected("corrupt" if text.strip() else "empty", f"the JSON can't be read: {reason}") from None
    except RecursionError:
        raise Rejected("too_deep", f"the JSON is nested more than {MAX_DEPTH} levels deep") from None


def _outline(value: Any, depth: int, name: str | None = None) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise Rejected("too_deep", f"the JSON is nested more than {MAX_DEPTH} levels deep")
    indent = "  " * max(0, depth - 1)
    label = f"{indent}- {name}:" if name is not None else f"{indent}-"
    if not isinstance(value, dict | list):
        shown = {None: "null", True: "true", False: "false"}.get(value, value) if not isinstance(value, str) else value
        yield f"{label} {str(shown).replace(chr(10), ' ')}" if depth else str(shown)
        return
    if depth:
        yield label
    inner = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for key, item in inner:
        yield from _outline(item, depth + 1, key)
