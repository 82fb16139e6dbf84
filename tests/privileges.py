"""What a test may do, less than its user may."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root may read everything: this thread gives that up for a while, and no other (`seteuid` would take it from all)."""
    set_user = ctypes.CDLL(None).setfsuid
    before = set_user(65534)
    try:
        yield
    finally:
        set_user(before)
