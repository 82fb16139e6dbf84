"""Work beside other work."""

from contextvars import ContextVar
from threading import Barrier, Event, get_ident

import pytest

from tasks import meanwhile as module
from tasks.meanwhile import meanwhile


def test_it_goes_on_beside_its_caller():
    both = Barrier(2)
    result = meanwhile(lambda: both.wait(10))
    both.wait(10)  # would break if the work only began when its result is wanted
    assert result() in (0, 1)


def test_it_raises_what_the_work_raised():
    result = meanwhile(lambda: int("three"))
    with pytest.raises(ValueError, match="three"):
        result()


def test_it_sees_the_context_of_its_caller():
    asked_by = ContextVar("asked_by", default="nobody")
    asked_by.set("a test")
    assert meanwhile(asked_by.get)() == "a test"


def test_where_all_threads_are_busy_the_caller_does_the_work():
    ended = Event()
    busy = [meanwhile(ended.wait) for _ in range(module._threads._max_workers)]
    assert meanwhile(get_ident)() == get_ident()
    ended.set()
    assert all(each() for each in busy)
