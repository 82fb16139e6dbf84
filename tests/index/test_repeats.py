"""Trouble that comes again and again is told whole once, then counted."""

import io
import logging
from collections.abc import Iterator

import pytest

from index.repeats import EVERY_S, MOST_KINDS, WHOLE_EVERY_S, Counting


class Log:
    """A log with a clock that a test moves, and what it has written."""

    def __init__(self) -> None:
        self.now = 0.0
        self._stream = io.StringIO()
        self.handler = Counting(self._stream, clock=lambda: self.now)
        self.logger = logging.getLogger("groundwork.test.repeats")
        self.logger.setLevel(logging.INFO)
        self.logger.propagate = False
        self.logger.addHandler(self.handler)

    @property
    def lines(self) -> list[str]:
        return self._stream.getvalue().splitlines()

    def fails(self, error: Exception, times: int = 1, message: str = "POST /v1/search failed") -> None:
        """The same error is raised at the same place so many times."""
        for _ in range(times):
            try:
                fail(error)
            except type(error) as raised:
                self.logger.exception(message, exc_info=raised)


class Seeing(logging.Handler):
    """Another handler of the same log."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def fail(error: Exception) -> None:
    raise type(error)(*error.args)


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log()
    yield made
    made.handler.close()
    made.logger.handlers.clear()


def test_the_first_of_a_kind_has_its_traceback_and_the_others_are_counted(log: Log):
    log.fails(FileNotFoundError("no such table"), times=1_000)
    whole = len(log.lines)
    assert (log.lines[0], log.lines[1], log.lines[-1]) == (
        "POST /v1/search failed",
        "Traceback (most recent call last):",
        "FileNotFoundError: no such table",
    )
    log.now = EVERY_S
    log.fails(FileNotFoundError("no such table"))
    assert log.lines[whole:] == ["POST /v1/search failed (FileNotFoundError), 999 times more in 60 s"]


def test_what_was_counted_is_told_by_whatever_is_logged_next(log: Log):
    log.fails(OSError("gone"), times=3)
    log.now = EVERY_S + 5
    log.logger.info("all is well")
    assert log.lines[-2:] == ["POST /v1/search failed (OSError), 2 times more in 65 s", "all is well"]


def test_what_was_counted_is_told_at_the_end(log: Log):
    log.fails(OSError("gone"), times=3)
    log.handler.close()
    assert log.lines[-1] == "POST /v1/search failed (OSError), 2 times more in 0 s"


def test_eight_minutes_of_failing_searches_are_a_few_lines(log: Log):
    for second in range(8 * 60):
        log.now = float(second)
        log.fails(OSError("gone"), times=2)
    assert len(log.lines) < 30
    log.handler.close()
    counted = sum(int(line.split(", ")[1].split()[0]) for line in log.lines if "times more" in line)
    assert counted == 8 * 60 * 2 - 1


def test_another_error_and_another_place_are_other_kinds(log: Log):
    log.fails(OSError("gone"), times=9)
    log.fails(ValueError("odd"), times=9)
    log.fails(OSError("gone"), times=9, message="POST /v1/answers failed")
    assert [line for line in log.lines if line.startswith("Traceback")] == ["Traceback (most recent call last):"] * 3


def test_numbers_make_no_other_kind(log: Log):
    for number in range(100):
        log.logger.warning("could not follow the release log, trying again: file %d-4b2e.lance is gone", number)
    assert log.lines == ["could not follow the release log, trying again: file 0-4b2e.lance is gone"]


def test_one_that_comes_now_and_then_is_told_each_time_in_one_line(log: Log):
    for minute in range(3):
        log.now = minute * 2 * EVERY_S
        log.fails(OSError("gone"))
    assert log.lines[-2:] == ["POST /v1/search failed (OSError)"] * 2


def test_a_traceback_is_told_again_after_an_hour(log: Log):
    log.fails(OSError("gone"))
    log.now = WHOLE_EVERY_S
    log.fails(OSError("gone"))
    assert log.lines.count("Traceback (most recent call last):") == 2


def test_what_goes_well_is_told_each_time(log: Log):
    for _ in range(100):
        log.logger.info("release %d", 7)
    assert log.lines == ["release 7"] * 100


def test_kinds_without_end_need_no_room_without_end_and_none_is_lost(log: Log):
    words = ["".join(chr(97 + int(digit)) for digit in str(number)) for number in range(3 * MOST_KINDS)]
    for word in words:
        log.logger.warning(word)
        log.logger.warning(word)
    assert [line for line in log.lines if "more" not in line] == words
    log.handler.close()
    assert len([line for line in log.lines if line.endswith(", once more in 0 s")]) == len(words)


def test_the_record_that_others_see_stays_whole(log: Log):
    seen = Seeing()
    log.logger.addHandler(seen)
    log.fails(OSError("gone"), times=2)
    assert [bool(record.exc_info) for record in seen.records] == [True, True]
