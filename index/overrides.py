"""Frozen records whose defaults a TOML file may change."""

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from index.errors import Misconfigured

Record = TypeVar("Record")


def overridden(record: type[Record], file: Path | None, setting: str) -> Record:
    """A record of numbers with those of a TOML file, and the defaults of what it leaves out.

    Raises `Misconfigured`, which names the `setting`, when the file can't be read, has another name, or has a number that is
    negative or not whole where the default is.
    """
    if file is None:
        return record()
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{setting}: {file} can't be read: {error}") from error
    kinds = {column.name: type(column.default) for column in fields(record)}  # type: ignore[arg-type]  # a dataclass, by contract
    for name, value in given.items():
        kind = kinds.get(name)
        fits = type(value) is int if kind is int else type(value) in (int, float)
        if kind is None or not fits or not value >= 0:
            raise Misconfigured(
                f"{setting}: {name} = {value!r} is not one of {', '.join(kinds)} with a number of 0 or more, whole where its default is"
            )
    return record(**given)
