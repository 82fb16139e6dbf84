"""`groundwork keys`: list, make, rotate and revoke; `--offline` makes one while no server runs."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from urllib.parse import quote

from cyclopts import App, Parameter

from api.client import Json
from api.session import Filter, Here, Outcome, filter_of
from api.terminal import Terminal

keys = App(name="keys", help="List keys; `create`, `rotate` and `revoke` them (admin).")

Days = Annotated[float | None, Parameter(help="Days until it expires; without it, never (or as before).")]


@keys.default
@keys.command(name="list")
def _keys(*, session: Here) -> Outcome:
    """List keys: role, expiry, limit and filter, never the key itself."""
    items: list[Json] = []
    cursor: str | None = None
    while True:
        page = session.client.get("/v1/keys", cursor=cursor)
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return Outcome({"items": items, "next": None}, _listed)


@keys.command
def create(
    *,
    role: Literal["reader", "writer", "admin"] = "reader",
    name: Annotated[str, Parameter(help="What it is for.")] = "",
    expires_days: Days = None,
    per_minute: Annotated[int | None, Parameter(help="The most requests a minute.")] = None,
    where: Filter = None,
    offline: Annotated[bool, Parameter(negative=(), help="Write it to GROUNDWORK_HOME on this machine; no server is asked.")] = False,
    session: Here,
) -> Outcome:
    """Make a key; it is shown this once. --filter is always applied to what it can read and write."""
    del offline  # the session knows
    body: Json = {"role": role, "name": name, "expires_at": _in(expires_days)}
    limit = {} if per_minute is None else {"per_minute": per_minute}
    return Outcome(session.client.post("/v1/keys", body | limit | filter_of(where)), _made)


@keys.command
def rotate(
    key_id: str,
    /,
    *,
    grace_hours: Annotated[float, Parameter(help="Hours that the old secret stays good; 0: it is refused at once.")] = 0.0,
    expires_days: Days = None,
    session: Here,
) -> Outcome:
    """Give a key a new secret, shown this once; its id, role and records stay."""
    body: Json = {"grace_seconds": grace_hours * 3600, "expires_at": _in(expires_days)}
    return Outcome(session.client.post(f"/v1/keys/{quote(key_id, safe='')}/rotate", body), _made)


@keys.command
def revoke(key_id: str, /, *, session: Here) -> Outcome:
    """Revoke a key by its id, at once."""
    reply = session.client.delete(f"/v1/keys/{quote(key_id, safe='')}")
    return Outcome(reply, lambda out, _: out.line(f"Revoked key {key_id}."))


def _in(days: float | None) -> str | None:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat() if days is not None else None


def _listed(out: Terminal, reply: Json) -> None:
    """The keys by id, never their secrets."""
    columns = ("id", "role", "name", "created_at", "expires_at", "per_minute", "filter")
    out.table([column.removesuffix("_at") for column in columns], [[each.get(column) for column in columns] for each in reply["items"]])


def _made(out: Terminal, reply: Json) -> None:
    """A key just made or rotated, on a line of its own to be copied: nothing shows it again."""
    out.line(reply["key"])
    out.facts((name.replace("_", " "), value) for name, value in reply.items() if name != "key")
    out.line("Keep the key: it is not shown again.")
