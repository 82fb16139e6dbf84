"""`/v1/keys`: make, list, revoke."""

from datetime import UTC

from litestar import Request, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from api.auth import requires
from api.keys import Key, Keys
from api.platform import Platform
from api.replies import KeyReply, NewKeyReply, Page
from api.requests import KeyRequest
from index import filters

Req = Request[None, Key, State]


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
    filters.parse(data.filter)
    expires = data.expires_at.replace(tzinfo=data.expires_at.tzinfo or UTC) if data.expires_at else None
    key, secret = keys.create(data.role, data.name, expires, data.filter)
    shown = _reply(key)
    detail = {
        "id": key.id,
        "role": key.role,
        "name": key.name,
        "expires_at": expires.isoformat() if expires else None,
        "filter": data.filter,
    }
    platform.store.log.append("key_made", 0, request.auth.id, detail=detail)
    return NewKeyReply(shown.id, shown.role, shown.name, shown.created_at, shown.expires_at, shown.filter, key=secret)


@get("/v1/keys", guards=[requires("admin")], summary="List keys", operation_id="list_keys", tags=["Keys"], sync_to_thread=True)
def list_keys(keys: NamedDependency[Keys]) -> Page[KeyReply]:
    """The keys, without their secrets."""
    return Page([_reply(key) for key in keys.all()])


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


def _reply(key: Key) -> KeyReply:
    return KeyReply(key.id, key.role, key.name, key.created_at, key.expires_at, dict(key.filter))
