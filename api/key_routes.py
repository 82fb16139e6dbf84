"""`/v1/keys`: make, list, rotate, revoke. Who did it, and to which key, stands in the audit."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from litestar import Request, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from api import keys as stored
from api import paging
from api.auth import requires
from api.keys import Key, Keys
from api.paging import Cursor, Limit, Page
from api.platform import Platform
from api.requests import KeyRequest, RotationRequest
from index import filters
from index.errors import BadRequest

Req = Request[None, Key, State]


class KeyReply(msgspec.Struct):
    """A key without its secret."""

    id: str
    role: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    filter: dict[str, Any]
    per_minute: int | None = None
    rotated_at: datetime | None = None
    old_until: datetime | None = None


class NewKeyReply(KeyReply):
    """A new or rotated key; the secret is shown this once. Until `old_until` the one before is good too."""

    key: str = ""


@post(
    "/v1/keys",
    guards=[requires("admin")],
    summary="Make a key",
    operation_id="create_key",
    description="Makes a key. Its secret is shown this once; only a hash of it is stored.",
    tags=["Keys"],
    status_code=201,
    sync_to_thread=True,
)
def create_key(request: Req, platform: NamedDependency[Platform], keys: NamedDependency[Keys], data: JSONBody[KeyRequest]) -> NewKeyReply:
    """Makes a key. Its secret is shown this once; only a hash of it is stored."""
    check(data)
    key, secret = keys.create(data.role, data.name, _utc(data.expires_at), data.filter, data.per_minute)
    platform.store.log.append("key_made", 0, request.auth.id, detail=audited(key))
    return with_secret(key, secret)


@get("/v1/keys", guards=[requires("admin")], summary="List keys", operation_id="list_keys", tags=["Keys"], sync_to_thread=True)
def list_keys(keys: NamedDependency[Keys], limit: Limit = 1_000, cursor: Cursor = None) -> Page[KeyReply]:
    """The keys, without their secrets, oldest first."""
    after = _place(cursor)
    left = [key for key in keys.all() if after is None or (key.created_at, key.id) > after]
    shown = left[:limit]
    ends = f"{shown[-1].created_at.isoformat()} {shown[-1].id}" if len(left) > limit else None
    return Page([_reply(key) for key in shown], paging.cursor(ends) if ends else None)


@post(
    "/v1/keys/{identifier:str}/rotate",
    guards=[requires("admin")],
    summary="Rotate a key",
    operation_id="rotate_key",
    description="Gives a key a new secret, shown this once. The one before is refused at once, or after `grace_seconds`. The id stays, "
    "so that the records of the key stay readable by it. "
    "A key that has expired needs a later `expires_at`, and its old secret stays refused.",
    tags=["Keys"],
    status_code=200,
    sync_to_thread=True,
)
def rotate_key(
    request: Req,
    platform: NamedDependency[Platform],
    keys: NamedDependency[Keys],
    identifier: FromPath[str],
    data: JSONBody[RotationRequest | None] = None,
) -> NewKeyReply:
    """Gives a key a new secret, shown this once."""
    asked = data or RotationRequest()
    _check_expiry(asked.expires_at)
    before = next((key for key in keys.all() if key.id == identifier), None)
    key, secret = keys.rotate(identifier, timedelta(seconds=asked.grace_seconds), _utc(asked.expires_at))
    if before:
        stored.renew(platform.settings.admin_key_file, before, secret)
    platform.store.log.append("key_rotated", 0, request.auth.id, detail=audited(key) | {"grace_seconds": asked.grace_seconds})
    return with_secret(key, secret)


@delete(
    "/v1/keys/{identifier:str}",
    guards=[requires("admin")],
    summary="Revoke a key",
    operation_id="revoke_key",
    tags=["Keys"],
    sync_to_thread=True,
)
def revoke_key(request: Req, platform: NamedDependency[Platform], keys: NamedDependency[Keys], identifier: FromPath[str]) -> None:
    """Revokes a key at once."""
    keys.revoke(identifier)
    platform.store.log.append("key_revoked", 0, request.auth.id, detail={"id": identifier})


def check(data: KeyRequest) -> None:
    """Raises `BadRequest` for a key that could not be used, or would be more than it looks like."""
    filters.parse(data.filter)
    if data.filter and data.role == "admin":
        raise BadRequest("an admin key has no filter: it could make itself a key without one")
    _check_expiry(data.expires_at)


def _check_expiry(time: datetime | None) -> None:
    expires_at = _utc(time)
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise BadRequest("expires_at is in the past, and the key would never work: give a later time, or leave it out")


def audited(key: Key) -> dict[str, Any]:
    """What the audit keeps of a key."""
    return {
        "id": key.id,
        "role": key.role,
        "name": key.name,
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "filter": dict(key.filter),
        "per_minute": key.per_minute,
    }


def _place(cursor: str | None) -> tuple[datetime, str] | None:
    """The time and the id of the last key of the page before: that key may be gone."""
    time, _, identifier = paging.position(cursor).partition(" ")
    if not time:
        return None
    try:
        place = datetime.fromisoformat(time)
    except ValueError as error:
        raise BadRequest(paging.REFUSED) from error
    if place.tzinfo is None:
        raise BadRequest(paging.REFUSED)
    return place, identifier


def _utc(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=time.tzinfo or UTC) if time else None


def with_secret(key: Key, secret: str) -> NewKeyReply:
    """The reply that shows a secret, this once."""
    shown = _reply(key)
    return NewKeyReply(**{name: getattr(shown, name) for name in shown.__struct_fields__}, key=secret)


def _reply(key: Key) -> KeyReply:
    return KeyReply(
        key.id, key.role, key.name, key.created_at, key.expires_at, dict(key.filter), key.per_minute, key.rotated_at, key.old_until
    )
