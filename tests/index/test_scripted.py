"""A kernel beside threads that run Python."""

import sys
from threading import Event, Thread
from time import perf_counter

import pytest

from index import model_folder
from index.token_batches import together


@pytest.fixture
def a_long_turn():
    """Each thread keeps the interpreter for so long when others want it: whoever needs it often shows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.05)
    yield 0.05
    sys.setswitchinterval(before)


@pytest.mark.thorough
def test_a_model_does_not_wait_for_threads_that_run_python(a_long_turn: float):
    from index.kernels import PACKED_FLOAT32, bert_kernel

    folder = model_folder.bundled_path()
    shape = model_folder.bert_shape(folder)
    assert shape
    kernel = bert_kernel(PACKED_FLOAT32, shape, folder)
    batch = together([[101, 2054, 102]] * 2, pad=0, most=256)
    for _ in range(3):
        kernel(batch)
    done = Event()

    def run_python() -> None:
        while not done.is_set():
            pass

    other = Thread(target=run_python)
    other.start()
    try:
        began = perf_counter()
        kernel(batch)
        took = perf_counter() - began
    finally:
        done.set()
        other.join()
    # By the operations of a model one after the other it would be a hundred turns.
    assert took < 30 * a_long_turn
