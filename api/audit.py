"""`GET /v1/audit`: who did what to what is served, when and why."""

from datetime import datetime
from itertools import islice
from typing import Any

import msgspec
from litestar import get
from litestar.di import NamedDependency

from api import paging
from api.auth import requires
from api.paging import Cursor, Limit, Page
from api.platform import Platform
from index.audit import Deed, deeds


class AuditReply(msgspec.Struct):
    """Who did what, when and why; `live` is what was served after it, `was` before."""

    seq: int
    at: datetime
    by: str
    what: str
    reason: str | None
    release: int | None
    live: int
    was: int
    pinned: bool
    detail: dict[str, Any]


@get("/v1/audit", guards=[requires("admin")], summary="Audit", operation_id="audit", tags=["Releases"], sync_to_thread=True)
def audit(platform: NamedDependency[Platform], limit: Limit = 50, cursor: Cursor = None) -> Page[AuditReply]:
    """Promotions, rollbacks, overrides, rebuilds, purges and changes of keys, newest first."""
    platform.store.log.refresh()
    before = paging.number(cursor)
    log = platform.store.log
    newest_first = (event for event in reversed(log.events) if before is None or event.seq < before)
    found = list(islice(deeds(newest_first, log.timeline()), limit))
    return Page([_reply(deed) for deed in found], paging.cursor(str(found[-1].event.seq)) if len(found) == limit else None)


def _reply(deed: Deed) -> AuditReply:
    event = deed.event
    return AuditReply(
        seq=event.seq,
        at=event.at,
        by=event.by,
        what=deed.what,
        reason=event.reason,
        release=event.release or None,
        live=event.state.live,
        was=deed.was,
        pinned=event.state.pinned,
        detail=event.detail,
    )
