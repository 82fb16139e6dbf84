"""`POST /v1/plans`: what a sweep would do, before it runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from api.auth import requires
from api.files import File, files_under
from api.platform import Platform
from api.requests import PlanRequest
from index.documents import Draft
from index.embedder import Embedder
from index.errors import BadRequest, Rejected
from tasks.discover import Source, sources
from tasks.forecast import Forecast, forecast
from tasks.sources.address import without_credentials
from tasks.sources.patterns import admit
from tasks.sources.port import Listed, Seen, Skipped

EXAMPLES = 10
# They are listed before anything is reckoned, while somebody waits: a whole disk would take minutes.
MOST_FILES = 200_000
PROBE = "A passage of ordinary length, to see how long this machine takes to embed one. " * 8


@dataclass(frozen=True, slots=True)
class PathsSource:
    """Folders and files, with the ids that `groundwork add` gives their documents."""

    paths: Sequence[Path]
    name: str = "http"
    uri: str = "paths:"

    def listing(self) -> Iterator[Seen]:
        """Each file that `groundwork add` would take; `at` is its place as a path. Raises `BadRequest` where that would refuse."""
        for file in files_under(self.paths, most=MOST_FILES):
            yield admit(Listed(file.doc_id, at=str(file.path), size=_size(file.path)))

    def read(self, listed: Sequence[Listed]) -> Iterator[Draft | Skipped]:
        """The files as they are now, just as `groundwork add` sends them."""
        for item in listed:
            try:
                yield File(item.doc_id, Path(item.at)).draft()
            except Rejected as rejected:
                yield Skipped(item.doc_id, str(rejected))


class SweepPlan(msgspec.Struct):
    """The plan, with what could not be taken and how it was reckoned.

    `skipped` documents would not be taken at all. `quarantined` ones would, and be set aside when they are parsed: they are
    among those added and changed, as far as `measured`. `examples` give reasons, and nothing of what is in the documents.
    `seconds` are `parse_seconds` and `embed_seconds`. Of `measured` documents the plan is exact; where `estimated`, the
    rest is reckoned from them by size.
    """

    source: str
    added: int
    changed: int
    removed: int
    unchanged: int
    chunks: int
    embed: int
    seconds: float | None
    disk_bytes: int
    needs_confirmation: bool
    moved: int
    skipped: int
    quarantined: int
    gaps: int
    bytes: int
    parse_seconds: float
    embed_seconds: float
    measured: int
    estimated: bool
    examples: dict[str, list[str]]


@post(
    "/v1/plans",
    guards=[requires("writer")],
    summary="Plan a sweep",
    operation_id="plan",
    tags=["Plans"],
    status_code=200,
    sync_to_thread=True,
)
def plan(platform: NamedDependency[Platform], data: JSONBody[PlanRequest]) -> SweepPlan:
    """What a sweep of a configured source would add, change and remove; or what adding these paths would."""
    source, is_whole = _source(platform, data)
    embedder = platform.embedder()
    try:
        found = forecast(platform.store, source, embedder, platform.settings.chunk_tokens, is_whole)
    except OSError as error:
        raise BadRequest(f"the source can't be read: {error}") from error
    return _reply(source.name, found, _seconds_per_passage(embedder) if found.embed else 0.0)


def _reply(source: str, found: Forecast, seconds_per_passage: float) -> SweepPlan:
    changes = found.changes
    embed_seconds = found.embed * seconds_per_passage
    return SweepPlan(
        source=source,
        added=len(changes.added),
        changed=len(changes.changed),
        removed=len(changes.removed),
        unchanged=changes.unchanged,
        moved=len(changes.moved),
        skipped=len(found.skipped),
        quarantined=len(found.quarantined),
        gaps=len(found.gaps),
        bytes=found.size,
        chunks=found.chunks,
        embed=found.embed,
        seconds=round(found.parse_seconds + embed_seconds, 1),
        parse_seconds=round(found.parse_seconds, 1),
        embed_seconds=round(embed_seconds, 1),
        disk_bytes=found.disk_bytes,
        needs_confirmation=found.needs_confirmation,
        measured=found.measured,
        estimated=found.estimated,
        examples={
            "added": list(changes.added[:EXAMPLES]),
            "changed": list(changes.changed[:EXAMPLES]),
            "removed": list(changes.removed[:EXAMPLES]),
            "moved": [f"{old} -> {new}" for old, new in changes.moved[:EXAMPLES]],
            "skipped": [f"{each.doc_id}: {each.reason}" for each in found.skipped[:EXAMPLES]],
            "quarantined": [f"{each.doc_id}: {each.reason}" for each in found.quarantined[:EXAMPLES]],
            "gaps": [f"{each.where}: {each.reason}" for each in found.gaps[:EXAMPLES]],
        },
    )


def _source(platform: Platform, data: PlanRequest) -> tuple[Source, bool]:
    """The source that is asked for, and whether a sweep of it would be of all that has its name."""
    if (data.source is None) == (not data.paths):
        raise BadRequest("give 'source' (a configured one) or 'paths', one of the two")
    settings = platform.settings
    known = sources(settings.sources, settings.sample, settings.home)
    asked = data.source or (data.paths[0] if len(data.paths) == 1 and "://" in data.paths[0] else None)
    if asked is not None:
        for name, configured in known.items():
            if asked in (name, configured.source.uri):
                return configured.source, True
        raise BadRequest(f"no source {without_credentials(asked)!r} is configured; there are: {', '.join(known) or 'none'}")
    paths = [Path(path) for path in data.paths]
    missing = [str(path) for path in paths if not _is_there(path)]
    if missing:
        raise BadRequest(f"not an absolute path of something on the server's machine: {', '.join(missing[:5])}")
    return PathsSource(paths), False


def _size(path: Path) -> int:
    """In bytes; 0 where that can't be told, and reading it will say why."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _is_there(path: Path) -> bool:
    try:
        return path.is_absolute() and path.exists()
    except (OSError, ValueError):  # its name is too long, or holds a NUL
        return False


def _seconds_per_passage(embedder: Embedder) -> float:
    began = perf_counter()
    embedder.embed([PROBE] * 8)
    return (perf_counter() - began) / 8
