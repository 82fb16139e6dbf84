"""The configured sources: which there are, of which kind, and how often each is swept."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from index.errors import Misconfigured
from tasks.sources.address import Address, Watch, parse_address
from tasks.sources.folder import FolderSource
from tasks.sources.git import SCHEMES, GitSource
from tasks.sources.ndjson import NdjsonSource
from tasks.sources.port import Source
from tasks.sources.sample import SAMPLE, SampleSource

__all__ = ["KINDS", "SAMPLE", "Configured", "FolderSource", "SampleSource", "Source", "source_at", "sources"]

SAMPLE_EVERY = timedelta(hours=1)
ROWS = (".ndjson", ".jsonl")


@dataclass(frozen=True, slots=True)
class Configured:
    """A source and its schedule. `watch` means something for folders only."""

    source: Source
    every: timedelta
    watch: Watch


def _local(address: Address, home: Path) -> Source:
    path = Path(address.place).expanduser().absolute()
    if path.suffix.lower() in ROWS:
        return NdjsonSource(address.name, path)
    return FolderSource(address.name, path, address.patterns, without=home)


def _objects(address: Address, home: Path) -> Source:
    from tasks.sources.objects import ObjectSource  # its library is large, and most have no object store

    del home
    return ObjectSource.at(address)


def _repository(address: Address, home: Path) -> Source:
    return GitSource.at(address, home / "cache")


# By scheme, how the source at an address is made; what it fetches is kept below the home. Empty: a plain path.
KINDS: dict[str, Callable[[Address, Path], Source]] = {
    "": _local,
    "file": _local,
    "s3": _objects,
    "gs": _objects,
    "az": _objects,
    **dict.fromkeys(SCHEMES, _repository),
}


def source_at(address: Address, home: Path) -> Source:
    """The source at an address; raises `Misconfigured` when there is no such kind."""
    make = KINDS.get(address.scheme)
    if make is None:
        raise Misconfigured(f"GROUNDWORK_SOURCES: nothing can sweep {address.scheme}://; there are: {', '.join(filter(None, KINDS))}")
    return make(address, home)


def sources(written: tuple[str, ...], sample: bool, home: Path) -> dict[str, Configured]:
    """The configured sources by name; raises `Misconfigured` when one can't be used, or two have the same name."""
    found: dict[str, Configured] = {SAMPLE: Configured(SampleSource(), SAMPLE_EVERY, "no")} if sample else {}
    for text in written:
        address = parse_address(text)
        if address.name in found:
            raise Misconfigured(f"GROUNDWORK_SOURCES: two sources are named {address.name!r}; give one another name with #name=")
        found[address.name] = Configured(source_at(address, home), address.every, address.watch)
    return found
