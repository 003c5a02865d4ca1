"""A spawned process computes on one thread."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from isolator.simulate.threads import single_threaded_children

NAME = "OPENBLAS_NUM_THREADS"


def threads_after_a_product() -> int:
    square = np.ones((400, 400))
    assert (square @ square)[0, 0] == 400
    return len(list(Path("/proc/self/task").iterdir()))


def test_a_matrix_product_in_a_spawned_process_starts_no_threads() -> None:
    before = dict(os.environ)
    with single_threaded_children(), ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(threads_after_a_product).result(timeout=60) == 1
    assert dict(os.environ) == before


def test_a_setting_of_the_user_is_put_back() -> None:
    os.environ[NAME] = "7"
    try:
        with single_threaded_children():
            assert os.environ[NAME] == "1"
        assert os.environ[NAME] == "7"
    finally:
        del os.environ[NAME]
