"""Who is calling, and whether they may."""

from collections.abc import Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers.base import BaseRouteHandler

from api.keys import Key, Keys, Role

Connection = ASGIConnection[Any, Any, Any, State]
LOOPBACK = ("127.0.0.1", "::1")


def requires(role: Role) -> Callable[[Connection, BaseRouteHandler], None]:
    """A guard that lets keys with at least this role pass."""

    def guard(connection: Connection, _: BaseRouteHandler) -> None:
        key = authenticate(connection)
        if not key.may(role):
            raise PermissionDeniedException(f"this needs a {role} key; yours is a {key.role} key")
        connection.scope["auth"] = key

    return guard


def loopback_or(role: Role) -> Callable[[Connection, BaseRouteHandler], None]:
    """A guard that also lets callers on this machine pass."""
    guard = requires(role)

    def check(connection: Connection, handler: BaseRouteHandler) -> None:
        if connection.client is None or connection.client.host not in LOOPBACK:
            guard(connection, handler)

    return check


def authenticate(connection: Connection) -> Key:
    """The key of the request; raises a 401 without a valid one."""
    keys: Keys = connection.app.state["keys"]
    scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
    key = keys.find(secret.strip()) if scheme.lower() == "bearer" and secret else None
    if key is None:
        what = "the key is wrong, expired or revoked" if secret else "a key is missing"
        raise NotAuthorizedException(f"{what}: send 'Authorization: Bearer KEY'", headers={"WWW-Authenticate": "Bearer"})
    return key
