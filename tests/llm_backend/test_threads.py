"""Calls from several threads stop at the first failure."""

import threading

from llm_backend.threads import Stopped, in_threads


def test_answers_are_those_of_the_items_whatever_thread_gave_them():
    batch = in_threads(lambda n: n * n, range(20), 3, threading.Event(), "test")
    assert batch.answers == {i: i * i for i in range(20)} and batch.failure is None


def test_the_first_failure_is_named_and_what_was_answered_is_kept():
    stop = threading.Event()

    def call(n):
        if n == 2:
            raise OSError("gone")
        if n > 2:
            raise Stopped
        return n

    batch = in_threads(call, range(50), 1, stop, "test")
    assert batch.failure is not None and batch.failure[0] == 2 and str(batch.failure[1]) == "gone"
    assert batch.answers == {0: 0, 1: 1} and stop.is_set()


def test_a_pool_of_numba_leaves_torch_its_threads():
    """Its pool gives its size to the OpenMP that torch uses: on two cores runs would end in other bits."""
    import numba
    import torch

    torch.set_num_threads(1)
    assert numba.get_num_threads() == 1  # this starts the pool, as `import quantecon` does
    assert torch.get_num_threads() == 1
