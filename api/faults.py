"""What is wrong with what a client has sent, in words that say what to send instead."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

BAD_CHOICE = "Invalid enum value"
# Where msgspec says that something is: "... - at `$.mode`".
_PLACE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
# Escapes, one after the other: two that stand for one character together, one that stands for half of it alone, any other.
_ESCAPES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)


def fault(found: Mapping[str, Any], handler: BaseRouteHandler) -> str:
    """One thing that Litestar found wrong with a request to a handler."""
    message, key = str(found.get("message")), str(found.get("key") or "")
    if message == "'data'":  # its words for a body that isn't there
        return "the body is missing: send JSON"
    name = "data" if found.get("source") == "body" else key
    parameter = handler.parsed_fn_signature.parameters.get(name)
    if parameter is None:
        return f"{key or found.get('source') or 'request'}: {message}"
    path = key.split(".") if name == "data" else []
    declared = parameter.kwarg_definition
    if isinstance(declared, QueryParameter) and declared.name:
        key = declared.name  # as clients call it
    return f"{key or name}: {message}{_instead(message, parameter.annotation, path)}"


def told(error: msgspec.ValidationError, wanted: Any) -> str:
    """What msgspec found wrong with a value of a wanted type."""
    message = str(error)
    place = _PLACE.search(message)
    return message + _instead(message, wanted, place["path"].split(".") if place else [])


def unreadable(body: bytes, error: Exception) -> str:
    """Why a body can't be read as JSON."""
    if isinstance(error, msgspec.ValidationError):
        return str(error)
    has_half = any(escape["half"] for escape in _ESCAPES.finditer(body))
    return f"it is not valid JSON in UTF-8: {'a string of it holds a lone surrogate, half of a character' if has_half else error}"


def choices(wanted: Any, path: Sequence[str] = ()) -> tuple[object, ...]:
    """The values that a type allows at a path of field names; none where it allows any, or nothing is there."""
    return tuple(_choices(_shape(wanted), path))


def _instead(message: str, wanted: Any, path: Sequence[str]) -> str:
    allowed = choices(wanted, path) if message.startswith(BAD_CHOICE) else ()
    return f"; use {', '.join(map(str, allowed))}" if allowed else ""


@cache
def _shape(wanted: Any) -> msgspec.inspect.Type:
    return msgspec.inspect.type_info(wanted)


def _choices(shape: msgspec.inspect.Type, path: Sequence[str]) -> Iterator[object]:
    match shape:
        case msgspec.inspect.Metadata(type=inner):
            yield from _choices(inner, path)
        case msgspec.inspect.UnionType(types=types):
            for each in types:
                yield from _choices(each, path)
        case msgspec.inspect.StructType(fields=fields) if path:
            for field in fields:
                if field.encode_name == path[0]:
                    yield from _choices(field.type, path[1:])
        case msgspec.inspect.LiteralType(values=values) if not path:
            yield from values
        case _:
            pass
