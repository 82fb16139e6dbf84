"""Frozen records whose defaults a TOML file may change."""

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from index.errors import Misconfigured

Record = TypeVar("Record")
_KINDS = {
    int: "a whole number of 0 or more",
    float: "a number of 0 or more",
    str: "a word",
    bool: "true or false",
    tuple: "a list of words",
}


def overridden(record: type[Record], file: Path | None, setting: str) -> Record:
    """A record of numbers, words, switches and lists of words with those of a TOML file, and the defaults of what it leaves out.

    Raises `Misconfigured`, which names the `setting`, when the file can't be read, has another name, or has a value of another kind
    than the default: a number that is negative, or not whole where the default is.
    """
    if file is None:
        return record()
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{setting}: {file} can't be read: {error}") from error
    kinds = {column.name: type(column.default) for column in fields(record)}  # type: ignore[arg-type]  # a dataclass, by contract
    for name, value in given.items():
        if name not in kinds:
            raise Misconfigured(f"{setting}: {name} is not one of {', '.join(kinds)}")
        if not _fits(value, kinds[name]):
            raise Misconfigured(f"{setting}: {name} = {value!r} is not {_KINDS[kinds[name]]}")
    return record(**{name: tuple(value) if kinds[name] is tuple else value for name, value in given.items()})


def _fits(value: Any, kind: type) -> bool:
    if kind is tuple:
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if kind in (str, bool):
        return type(value) is kind
    return (type(value) is int if kind is int else type(value) in (int, float)) and value >= 0
