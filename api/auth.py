"""Who is calling, and whether they may."""

from collections.abc import Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers.base import BaseRouteHandler

from api import access
from api.keys import Key, Keys, Role

Connection = ASGIConnection[Any, Any, Any, State]
LOOPBACK = ("127.0.0.1", "::1")
LOCAL_NAMES = (*LOOPBACK, "localhost")
FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


def requires(role: Role) -> Callable[[Connection, BaseRouteHandler], None]:
    """A guard that lets keys with at least this role pass."""

    def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        key = authenticate(connection)
        if not key.may(role):
            raise PermissionDeniedException(f"this needs a key of the role {role}; yours has the role {key.role}")
        access.check(key, operation_of(handler))
        connection.scope["auth"] = key

    return guard


def loopback_or(role: Role) -> Callable[[Connection, BaseRouteHandler], None]:
    """A guard that also lets callers on this machine pass."""
    guard = requires(role)

    def check(connection: Connection, handler: BaseRouteHandler) -> None:
        if not is_local(connection):
            guard(connection, handler)

    return check


def is_local(connection: Connection) -> bool:
    """Whether the caller is on this machine. Through a reverse proxy everybody looks like that: what it adds to a request tells.

    The host must be a name of this machine too: a page in a browser here may have made its own name lead to us.
    """
    if connection.client is None or connection.client.host not in LOOPBACK or any(name in connection.headers for name in FORWARDED):
        return False
    host = connection.headers.get("host", "")
    return host.rpartition(":")[0].strip("[]") in LOCAL_NAMES or host.strip("[]") in LOCAL_NAMES


def operation_of(handler: BaseRouteHandler) -> str | None:
    """The name by which the table of access knows a route."""
    name = getattr(handler, "operation_id", None) or handler.name  # what is not described in OpenAPI has a name only
    return name if isinstance(name, str) else None


def authenticate(connection: Connection) -> Key:
    """The key of the request; raises a 401 without a valid one."""
    keys: Keys = connection.app.state["keys"]
    scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
    key = keys.find(secret.strip()) if scheme.lower() == "bearer" and secret else None
    if key is None:
        what = "the key is wrong, expired or revoked" if secret else "a key is missing"
        raise NotAuthorizedException(f"{what}: send 'Authorization: Bearer KEY'", headers={"WWW-Authenticate": "Bearer"})
    return key
