"""`POST /v1/plans`: what a sweep would do, before it runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from api.auth import requires
from api.contracts import PlanReply, PlanRequest
from api.platform import Platform
from index.documents import Draft
from index.embedder import Embedder
from index.errors import BadRequest
from tasks.discover import FolderSource, Source, sources
from tasks.forecast import forecast
from tasks.parse import SUFFIXES

EXAMPLES = 10
PROBE = "A passage of ordinary length, to see how long this machine takes to embed one. " * 8


@dataclass(frozen=True, slots=True)
class PathsSource:
    """Folders and files, with the ids that `groundwork add` gives their documents."""

    paths: Sequence[Path]
    name: str = "http"

    def drafts(self) -> Iterator[Draft]:
        """Each file below the paths."""
        for path in self.paths:
            if path.is_dir():
                for draft in FolderSource(self.name, path).drafts():
                    yield Draft(draft.doc_id.partition(":")[2], media_type=draft.media_type, content=draft.content)
            elif path.suffix.lower() in SUFFIXES:
                yield Draft(path.name, media_type=SUFFIXES[path.suffix.lower()], content=path.read_bytes())


@post(
    "/v1/plans",
    guards=[requires("writer")],
    summary="Plan a sweep",
    operation_id="plan",
    tags=["Plans"],
    status_code=200,
    sync_to_thread=True,
)
def plan(platform: NamedDependency[Platform], data: JSONBody[PlanRequest]) -> PlanReply:
    """What a sweep of a configured source would add, change and remove; or what adding these paths would."""
    source, by_path = _source(platform, data)
    embedder = platform.model.get()
    try:
        listed = [draft.doc_id for draft in source.drafts()] if by_path else None
        found = forecast(platform.store, source, embedder, listed)
    except OSError as error:
        raise BadRequest(f"the source can't be read: {error}") from error
    changes = found.changes
    return PlanReply(
        source=source.name,
        added=len(changes.added),
        changed=len(changes.changed),
        removed=len(changes.removed),
        unchanged=changes.unchanged,
        chunks=found.chunks,
        embed=found.embed,
        seconds=round(found.embed * _seconds_per_passage(embedder), 1) if found.embed else 0.0,
        disk_bytes=found.disk_bytes,
        needs_confirmation=found.needs_confirmation,
        examples={
            "added": list(changes.added[:EXAMPLES]),
            "changed": list(changes.changed[:EXAMPLES]),
            "removed": list(changes.removed[:EXAMPLES]),
        },
    )


def _source(platform: Platform, data: PlanRequest) -> tuple[Source, bool]:
    if (data.source is None) == (not data.paths):
        raise BadRequest("give 'source' (a configured one) or 'paths', one of the two")
    if data.source is None:
        paths = [Path(path) for path in data.paths]
        missing = [str(path) for path in paths if not _is_there(path)]
        if missing:
            raise BadRequest(f"not an absolute path of something on the server's machine: {', '.join(missing[:5])}")
        return PathsSource(paths), True
    known = sources(platform.settings.sources, platform.settings.sample)
    if data.source not in known:
        raise BadRequest(f"no source {data.source!r} is configured; there are: {', '.join(known) or 'none'}")
    return known[data.source], False


def _is_there(path: Path) -> bool:
    try:
        return path.is_absolute() and path.exists()
    except (OSError, ValueError):  # its name is too long, or holds a NUL
        return False


def _seconds_per_passage(embedder: Embedder) -> float:
    began = perf_counter()
    embedder.embed([PROBE] * 8)
    return (perf_counter() - began) / 8
