"""How a source is written in GROUNDWORK_SOURCES: a folder or URI, and options after `#`."""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Literal, cast
from urllib.parse import unquote, urlsplit

from index.errors import Misconfigured
from tasks.sources.patterns import EVERYTHING, Patterns, check_patterns

Watch = Literal["yes", "poll", "no"]
OPTIONS = ("include", "exclude", "every", "name", "watch")
EVERY = timedelta(minutes=5)
SHORTEST = timedelta(seconds=10)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SUFFIXES = (".ndjson", ".jsonl", ".git")
# `:` ends the name in an id, and Prefect takes none of the others in the name of a deployment.
_NOT_IN_A_NAME = re.compile(r"[:/%&<>\x00-\x1f]")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")
TAKEN = ("http",)


@dataclass(frozen=True)
class Address:
    """Where a source is, and how it is to be swept. `scheme` is empty for a path; `place` is what follows it, decoded."""

    scheme: str
    place: str
    name: str
    patterns: Patterns = EVERYTHING
    every: timedelta = EVERY
    watch: Watch = "yes"


def parse_address(text: str) -> Address:
    """The address that is written `PLACE#option=value&option=value`; raises `Misconfigured`.

    Commas, `#`, `%` and `&` in it are percent-encoded.
    """
    place, _, rest = text.partition("#")
    options = _options(text, rest)
    scheme, separator, after = place.partition("://")
    found = Address(
        scheme=scheme.lower() if separator else "",
        place=unquote(after if separator else place),
        name=_last(options, "name") or _default_name(place),
        patterns=Patterns(tuple(options.get("include", ())), tuple(options.get("exclude", ()))),
        every=_interval(text, _last(options, "every")),
        watch=cast(Watch, _last(options, "watch") or "yes"),
    )
    _check(text, found)
    return found


def without_credentials(text: str) -> str:
    """The URI, or any text with URIs in it, without user names and passwords."""
    return _CREDENTIALS.sub("", text)


def _options(text: str, rest: str) -> dict[str, list[str]]:
    options: dict[str, list[str]] = {}
    for pair in filter(None, rest.split("&")):
        key, _, value = pair.partition("=")
        if key not in OPTIONS or not value:
            raise _refusal(text, f"{pair!r} is no option; there are {'=, '.join(OPTIONS)}=")
        options.setdefault(key, []).append(unquote(value))
    return options


def _last(options: dict[str, list[str]], key: str) -> str | None:
    return options[key][-1] if key in options else None


def _default_name(place: str) -> str:
    """The last part of the path, without the suffix of a repository or a file of rows."""
    if "://" in place:
        parts = urlsplit(place)
        path = parts.path.rpartition("@")[0] or parts.path if parts.scheme.startswith("git+") else parts.path
        name = PurePosixPath(unquote(path)).name or parts.netloc
    else:
        name = Path(unquote(place)).expanduser().absolute().name
    suffix = PurePosixPath(name).suffix.lower()
    return name[: -len(suffix)] if suffix in _SUFFIXES else name


def _interval(text: str, value: str | None) -> timedelta:
    if value is None:
        return EVERY
    match = re.fullmatch(r"(\d{1,6})([smhd])", value)
    if not match:
        raise _refusal(text, f"every={value} is no interval; write 30s, 10m, 2h or 1d")
    every = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if every < SHORTEST:
        raise _refusal(text, f"every={value} is too often; {SHORTEST.seconds}s is the least")
    return every


def _check(text: str, address: Address) -> None:
    if not address.place:
        raise _refusal(text, "it names no place")
    if not address.name or _NOT_IN_A_NAME.search(address.name):
        raise _refusal(text, f"{address.name!r} can't be its name (no : / % & < >); give another with #name=")
    if address.name in TAKEN:
        raise _refusal(text, f"the name {address.name!r} stands for what came over HTTP; give another with #name=")
    if address.watch not in ("yes", "poll", "no"):
        raise _refusal(text, f"watch={address.watch} is none of yes, poll, no")
    try:
        check_patterns((*address.patterns.include, *address.patterns.exclude))
    except ValueError as error:
        raise _refusal(text, f"a pattern can't be used: {error}") from error


def _refusal(text: str, reason: str) -> Misconfigured:
    return Misconfigured(f"GROUNDWORK_SOURCES: {without_credentials(text)}: {reason}")
