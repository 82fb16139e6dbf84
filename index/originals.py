"""Originals: the bytes as given, by content hash, for replay and re-parsing."""

import os
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from index.documents import content_hash
from index.errors import NotFound

SYNCED_TOGETHER = 16


class Originals:
    """Content-addressed files under one folder; writing the same bytes twice is one file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)

    def put_all(self, contents: Sequence[bytes]) -> None:
        """Stores many at once: the disk syncs them together, not one after the other."""
        if contents:
            with ThreadPoolExecutor(min(SYNCED_TOGETHER, len(contents))) as pool:
                list(pool.map(self.put, contents))

    def put(self, content: bytes) -> str:
        """Stores the bytes durably and returns their hash; bytes that are there already are as young as new ones."""
        digest = content_hash(content)
        path = self._path(digest)
        with suppress(FileNotFoundError):
            os.utime(path)
            return digest
        path.parent.mkdir(exist_ok=True)
        staged = path.with_name(f"{digest}.{uuid.uuid4().hex[:8]}")
        with staged.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        staged.rename(path)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes with this hash; `NotFound` when they are no longer kept."""
        try:
            return self._path(digest).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"the original bytes {digest[:12]} are no longer kept; send the document again") from None

    def hashes(self) -> set[str]:
        """The hash of each original that is kept."""
        return {path.name for path in self._folder.glob("??/*") if "." not in path.name}

    def older_than(self, digest: str, moment: datetime) -> bool:
        """Whether the original was stored before `moment`; False when it is not kept."""
        try:
            return self._path(digest).stat().st_mtime < moment.timestamp()
        except FileNotFoundError:
            return False

    def drop(self, digest: str) -> None:
        """Forgets one original."""
        self._path(digest).unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest
