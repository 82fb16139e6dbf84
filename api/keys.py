"""Keys: made once, stored as hashes, checked on every request."""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Literal, cast

from index.errors import Conflict, NotFound

Role = Literal["reader", "writer", "admin"]
ROLES: tuple[Role, ...] = ("reader", "writer", "admin")
PREFIX = "gw_"


@dataclass(frozen=True, slots=True)
class Key:
    """Who may do what. `digest` is the SHA-256 of the secret, which has 256 bits of its own."""

    id: str
    role: Role
    name: str
    digest: str
    created_at: datetime
    expires_at: datetime | None = None
    filter: Mapping[str, Any] = field(default_factory=dict)

    def may(self, role: Role) -> bool:
        """Whether this key has at least the role."""
        return ROLES.index(self.role) >= ROLES.index(role)


class Keys:
    """The key file under the home, read again when another process has changed it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._read_at = -1
        self._keys: dict[str, Key] = {}

    def create(
        self, role: Role, name: str = "", expires_at: datetime | None = None, filter_: Mapping[str, Any] | None = None
    ) -> tuple[Key, str]:
        """A new key and its secret, which is not kept."""
        secret = PREFIX + secrets.token_urlsafe(32)
        key = Key(secrets.token_hex(6), role, name, _digest(secret), datetime.now(UTC), expires_at, filter_ or {})
        with self._lock:
            self._refresh()
            self._write({**self._keys, key.digest: key})
        return key, secret

    def find(self, secret: str) -> Key | None:
        """The key with this secret, unless it has expired. Looked up by hash, so the time taken tells nothing."""
        with self._lock:
            self._refresh()
            key = self._keys.get(_digest(secret))
        expired = key is not None and key.expires_at is not None and key.expires_at <= datetime.now(UTC)
        return None if expired else key

    def all(self) -> list[Key]:
        """Each key, oldest first."""
        with self._lock:
            self._refresh()
            return sorted(self._keys.values(), key=lambda key: key.created_at)

    def revoke(self, identifier: str) -> None:
        """Forgets a key; the last admin key stays."""
        with self._lock:
            self._refresh()
            left = {digest: key for digest, key in self._keys.items() if key.id != identifier}
            if len(left) == len(self._keys):
                raise NotFound(f"there is no key {identifier}; GET /v1/keys lists them")
            if not any(key.role == "admin" for key in left.values()):
                raise Conflict("this is the last admin key; make another one first")
            self._write(left)

    def _refresh(self) -> None:
        try:
            changed = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if changed != self._read_at:
            rows = json.loads(self._path.read_text())
            self._keys = {row["digest"]: _key(row) for row in rows}
            self._read_at = changed

    def _write(self, keys: dict[str, Key]) -> None:
        rows = [asdict(key) | {"filter": dict(key.filter)} for key in keys.values()]
        write_private(self._path, json.dumps(rows, default=lambda value: value.isoformat(), indent=1))
        self._keys, self._read_at = keys, self._path.stat().st_mtime_ns


def ensure_admin(keys: Keys, file: Path) -> None:
    """Makes the first admin key and writes it to its file, once."""
    if not keys.all():
        _, secret = keys.create("admin", "first admin")
        write_private(file, secret + "\n")


def write_private(path: Path, text: str) -> None:
    """Replaces a file in one step; only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_suffix(f".{os.getpid()}.new")
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: dict[str, Any]) -> Key:
    expires = row["expires_at"]
    return Key(
        id=row["id"],
        role=cast(Role, row["role"]),
        name=row["name"],
        digest=row["digest"],
        created_at=datetime.fromisoformat(row["created_at"]),
        expires_at=datetime.fromisoformat(expires) if expires else None,
        filter=row["filter"],
    )
