"""Trouble that comes again and again: told whole once, then counted, so that the log stays small and says what else happens."""

import logging
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import TextIO

# Between two lines about the same kind of trouble.
EVERY_S = 60.0
# Between two tracebacks of it: log files are put aside, and the first may be gone.
WHOLE_EVERY_S = 3600.0
MOST_KINDS = 500
# Ids, paths and times within a message make no other kind of it.
_NUMBER = re.compile(r"[\w-]*\d[\w-]*")

Place = tuple[str, int]
Kind = tuple[str, int, str, str, Place | None]


@dataclass(slots=True)
class _Seen:
    """One kind of trouble: when its traceback was told, when a line about it, and what was held back since."""

    whole_at: float
    told_at: float
    held: int = 0
    last: logging.LogRecord | None = None


class Counting(logging.StreamHandler[TextIO]):
    """Writes what goes well as it comes. Of warnings and errors of one kind it writes the first, then a line a minute with their number.

    A kind is a logger, a level, a message without its numbers and, for errors with a traceback, where what was raised.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(stream)
        self._clock = clock
        self._seen: OrderedDict[Kind, _Seen] = OrderedDict()
        self._look_at = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record, counts it, or both; the handler's lock is held."""
        now = self._clock()
        self._tell_counted(now)
        if record.levelno < logging.WARNING:
            super().emit(record)
            return
        kind = _kind(record)
        seen = self._seen.get(kind)
        if seen is None or now - seen.whole_at >= WHOLE_EVERY_S:
            self._begin(kind, now)
            super().emit(record)
        elif now - seen.told_at >= EVERY_S:
            seen.told_at = now
            super().emit(_short(record))
        else:
            seen.held, seen.last = seen.held + 1, record

    def close(self) -> None:
        """Tells what was counted and not told yet."""
        self.acquire()
        try:
            while self._seen:
                self._forget_oldest(self._clock())
        finally:
            self.release()
        super().close()

    def _begin(self, kind: Kind, now: float) -> None:
        """Counts a kind anew, from a record that is written whole."""
        if old := self._seen.pop(kind, None):
            self._tell(old, now)
        elif len(self._seen) >= MOST_KINDS:
            self._forget_oldest(now)
        self._seen[kind] = _Seen(now, now)

    def _forget_oldest(self, now: float) -> None:
        self._tell(self._seen.popitem(last=False)[1], now)

    def _tell_counted(self, now: float) -> None:
        """Tells what has waited for a minute: it may not come again. Looks once a second."""
        if now < self._look_at:
            return
        self._look_at = now + 1
        for seen in self._seen.values():
            if now - seen.told_at >= EVERY_S:
                self._tell(seen, now)

    def _tell(self, seen: _Seen, now: float) -> None:
        if seen.last is not None:
            super().emit(_short(seen.last, seen.held, now - seen.told_at))
            seen.held, seen.last, seen.told_at = 0, None, now


def _kind(record: logging.LogRecord) -> Kind:
    name, place = _raised(record)
    return record.name, record.levelno, _NUMBER.sub("#", _message(record)), name, place


def _raised(record: logging.LogRecord) -> tuple[str, Place | None]:
    """The class of a record's error and where it was raised."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return "", None
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return type(error).__name__, (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace else None


def _short(record: logging.LogRecord, times: int = 0, seconds: float = 0.0) -> logging.LogRecord:
    """A copy in one line, with how many of its kind it stands for."""
    name, _ = _raised(record)
    message = f"{_message(record)} ({name})" if name else _message(record)
    if times:
        message += f", {'once' if times == 1 else f'{times} times'} more in {seconds:.0f} s"
    facts = {"msg": message, "args": (), "exc_info": None, "exc_text": None, "stack_info": None} | ({"times": times} if times else {})
    return logging.makeLogRecord(vars(record) | facts)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, LookupError):  # arguments that do not fit are told when it is written
        return str(record.msg)
