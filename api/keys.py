"""Keys: made once, stored as hashes, checked on every request."""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Literal, cast

from api.key_file import KeyFile, write_private
from index.errors import Conflict, NotFound

Role = Literal["reader", "writer", "admin"]
ROLES: tuple[Role, ...] = ("reader", "writer", "admin")
PREFIX = "gw_"
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Key:
    """Who may do what. `digest` is the SHA-256 of the secret, which has 256 bits of its own.

    Attributes:
        filter: is always applied to what the key can read and write.
        per_minute: how many requests it may make; None: as many as the platform allows to anybody.
        old_digest: of the secret before the last rotation, which is good until `old_until`.
    """

    id: str
    role: Role
    name: str
    digest: str
    created_at: datetime
    expires_at: datetime | None = None
    filter: Mapping[str, Any] = field(default_factory=dict)
    per_minute: int | None = None
    rotated_at: datetime | None = None
    old_digest: str | None = None
    old_until: datetime | None = None

    def may(self, role: Role) -> bool:
        """Whether this key has at least the role."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def opens(self, digest: str, now: datetime) -> bool:
        """Whether a secret with this hash is good for it at that time."""
        if self.expires_at is not None and self.expires_at <= now:
            return False
        if secrets.compare_digest(self.digest, digest):
            return True
        in_grace = self.old_until is not None and now < self.old_until
        return in_grace and secrets.compare_digest(self.old_digest or "", digest)


class Keys:
    """The keys under the home, read again when another process has changed them."""

    def __init__(self, path: Path) -> None:
        self._file = KeyFile(path)
        self._lock = Lock()
        self._keys: dict[str, Key] = {}
        self._by_digest: dict[str, Key] = {}

    def create(
        self,
        role: Role,
        name: str = "",
        expires_at: datetime | None = None,
        filter_: Mapping[str, Any] | None = None,
        per_minute: int | None = None,
    ) -> tuple[Key, str]:
        """A new key and its secret, which is not kept."""
        secret = _secret()
        key = Key(secrets.token_hex(6), role, name, _digest(secret), datetime.now(UTC), expires_at, filter_ or {}, per_minute)
        self._change(lambda keys: {**keys, key.id: key})
        return key, secret

    def find(self, secret: str) -> Key | None:
        """The key with this secret, unless it has expired. Looked up by hash, so the time taken tells nothing."""
        digest = _digest(secret)
        with self._lock:
            self._refresh()
            key = self._by_digest.get(digest)
        return key if key is not None and key.opens(digest, datetime.now(UTC)) else None

    def all(self) -> list[Key]:
        """Each key, oldest first."""
        with self._lock:
            self._refresh()
            return sorted(self._keys.values(), key=lambda key: (key.created_at, key.id))

    def rotate(self, identifier: str, grace: timedelta, expires_at: datetime | None = None) -> tuple[Key, str]:
        """The key with a new secret; the one before is good for `grace` or until it expires, the one before that no more. The id stays.

        Raises `Conflict` where the key has expired and no later expiry is given.
        """
        secret, now = _secret(), datetime.now(UTC)

        def rotated(keys: dict[str, Key]) -> dict[str, Key]:
            before = _known(keys, identifier)
            has_expired = before.expires_at is not None and before.expires_at <= now
            if has_expired and not expires_at:
                raise Conflict(f"the key has expired at {before.expires_at:%Y-%m-%dT%H:%M:%SZ}: give `expires_at` for the new secret")
            kept = grace and not has_expired
            after = replace(
                before,
                digest=_digest(secret),
                rotated_at=now,
                old_digest=before.digest if kept else None,
                old_until=min(now + grace, before.expires_at or _NEVER) if kept else None,
                expires_at=expires_at or before.expires_at,
            )
            return keys | {identifier: after}

        return self._change(rotated)[identifier], secret

    def revoke(self, identifier: str) -> None:
        """Forgets a key; the last admin key that has not expired stays."""

        def without(keys: dict[str, Key]) -> dict[str, Key]:
            _known(keys, identifier)
            left = {each: key for each, key in keys.items() if each != identifier}
            if not any(_is_good_admin(key) for key in left.values()):
                raise Conflict("this is the last admin key; make another one first")
            return left

        self._change(without)

    def _change(self, change: Callable[[dict[str, Key]], dict[str, Key]]) -> dict[str, Key]:
        """Applies a change to what the file has now, and to nothing older."""
        with self._lock, self._file.alone():
            self._take(self._file.read())
            changed = change(self._keys)
            self._file.write([_row(key) for key in changed.values()])
            self._take(self._file.read())
            return self._keys

    def _refresh(self) -> None:
        if self._file.changed():
            self._keys = self._by_digest = {}  # what can't be read lets nobody in
            self._take(self._file.read())

    def _take(self, rows: list[dict[str, Any]]) -> None:
        keys = [_key(row) for row in rows]
        self._keys = {key.id: key for key in keys}
        self._by_digest = {digest: key for key in keys for digest in (key.old_digest, key.digest) if digest}


def ensure_admin(keys: Keys, file: Path) -> None:
    """Makes the first admin key and writes it to its file, once."""
    if not keys.all():
        _, secret = keys.create("admin", "first admin")
        write_private(file, secret + "\n")


def renew(file: Path, key: Key, secret: str) -> None:
    """Writes the new secret of a rotated key to the admin key's file, if that held the old one."""
    try:
        digest = _digest(file.read_text("utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return
    if digest == key.digest:
        write_private(file, secret + "\n")


def _known(keys: Mapping[str, Key], identifier: str) -> Key:
    if identifier not in keys:
        raise NotFound(f"there is no key {identifier}; GET /v1/keys lists them")
    return keys[identifier]


def _is_good_admin(key: Key) -> bool:
    return key.role == "admin" and (key.expires_at is None or key.expires_at > datetime.now(UTC))


def _secret() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _row(key: Key) -> dict[str, Any]:
    return asdict(key) | {"filter": dict(key.filter)}


def _key(row: Mapping[str, Any]) -> Key:
    """A row of the file; what an older version of the platform did not write has its default."""
    return Key(
        id=row["id"],
        role=cast(Role, row["role"]),
        name=row["name"],
        digest=row["digest"],
        created_at=datetime.fromisoformat(row["created_at"]),
        expires_at=_time(row.get("expires_at")),
        filter=row.get("filter") or {},
        per_minute=row.get("per_minute"),
        rotated_at=_time(row.get("rotated_at")),
        old_digest=row.get("old_digest"),
        old_until=_time(row.get("old_until")),
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
