"""What a test may do, less than its user may."""

import ctypes
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root may read everything: this thread gives that up for a while, and no other (`seteuid` would take it from all)."""
    set_user = ctypes.CDLL(None).setfsuid
    before = set_user(65534)
    try:
        yield
    finally:
        set_user(before)


@contextmanager
def locked_folder() -> Iterator[Path]:
    """A folder that all may look into, where the folder `locked` and the file `b.md` are closed to who has no privileges."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "locked").mkdir()
        (folder / "locked" / "a.md").write_text("x")
        (folder / "locked").chmod(0o000)
        (folder / "b.md").write_text("x")
        (folder / "b.md").chmod(0o000)
        try:
            yield folder
        finally:
            (folder / "locked").chmod(0o755)
