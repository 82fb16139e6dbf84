"""The errors of the platform.

GroundworkError
├── BadRequest            the caller's fault; says what to change          (HTTP 400)
├── NotFound              no such document, release, key or evaluation     (HTTP 404)
├── Conflict              it exists, but cannot be used that way now       (HTTP 409)
├── Unavailable           a part is down, full or not ready; try again     (HTTP 503)
├── Rejected              one document can't be indexed: goes to quarantine
├── BatchFailed           a batch failed its checks before its release
├── BatchStopped          too many documents of a batch broke the data contract: a person should look
└── Misconfigured         a setting or the stored index can't be used: the process must stop
"""


class GroundworkError(Exception):
    """Root of all errors that this platform raises on purpose."""


class BadRequest(GroundworkError):
    """The request can't be served as asked."""


class NotFound(GroundworkError):
    """The named thing does not exist."""


class Conflict(GroundworkError):
    """The named thing exists but is not in a state that allows this."""


class Unavailable(GroundworkError):
    """A part is down, full or not ready yet."""

    def __init__(self, detail: str, retry_after_s: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class Rejected(GroundworkError):
    """One document can't be indexed; `code` is the stable reason, `detail` is for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class BatchFailed(GroundworkError):
    """A batch failed the checks before its release; nothing of it is visible."""


class BatchStopped(GroundworkError):
    """Too many documents of a batch broke the data contract; `documents` are those that did. Nothing of it is written."""

    def __init__(self, detail: str, documents: frozenset[str]) -> None:
        super().__init__(detail)
        self.documents = documents


class Misconfigured(GroundworkError):
    """A setting or the stored index can't be used by this process."""


def is_storage_failure(error: BaseException) -> bool:
    """Whether the disk or the object store failed, or there was no memory: no fault of what was being done.

    LanceDB raises such failures as RuntimeErrors, and Lance those of a search as pyarrow's `ArrowInvalid`; only their text tells.
    """
    text = str(error)
    return isinstance(error, OSError | MemoryError) or any(
        text.startswith(f"{whose}: ") and ("LanceError(IO)" in text or f"{whose}: Not found" in text)
        for whose in ("lance error", "External error")
    )
