"""Kernels of a BERT: beside threads that run Python, and with smaller weights."""

import sys
from threading import Event, Thread
from time import perf_counter

import numpy as np
import pytest

from index import model_folder
from index.token_batches import together
from index.vectors import lowest_cosine


@pytest.fixture
def a_long_turn():
    """Each thread keeps the interpreter for so long when others want it: whoever needs it often shows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.05)
    yield 0.05
    sys.setswitchinterval(before)


@pytest.mark.thorough
def test_weights_of_half_the_size_give_the_same_vectors():
    from index.kernels import HALF_WEIGHTS, PACKED_FLOAT32, bert_kernel

    folder = model_folder.bundled_path()
    shape = model_folder.bert_shape(folder)
    assert shape
    questions = together([[101, 2054, 2003, 1037, 102], [101, 2129, 2079, 1045, 4897, 2067, 102], [101, 102]], pad=0, most=256)
    half, exact = (bert_kernel(name, shape, folder)(questions) for name in (HALF_WEIGHTS, PACKED_FLOAT32))
    assert lowest_cosine(half, exact) > 0.99999
    assert not np.array_equal(half, exact)


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
