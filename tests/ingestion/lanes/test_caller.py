"""Calls that may not come back."""

import threading
import time

import pytest

from ingestion.lanes.caller import Caller, NotBack


def test_a_call_is_made_and_its_error_is_raised_here() -> None:
    caller, done = Caller("t"), []
    caller.call(lambda: done.append(threading.current_thread()), lambda: 1.0)
    assert done[0] is not threading.current_thread()

    def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        caller.call(fails, lambda: 1.0)
    caller.close()


def test_a_call_that_does_not_come_back_is_left_behind_and_the_next_one_works() -> None:
    caller, release, done = Caller("t"), threading.Event(), []
    start = time.monotonic()
    end = start + 0.3
    with pytest.raises(NotBack):
        caller.call(lambda: release.wait(30), lambda: end - time.monotonic())
    assert 1.3 <= time.monotonic() - start < 3
    caller.call(lambda: done.append(1), lambda: 1.0)
    assert done == [1]
    release.set()
    caller.close()


def test_a_call_that_is_late_but_comes_back_is_taken() -> None:
    caller = Caller("t")
    start = time.monotonic()
    caller.call(lambda: time.sleep(0.5), lambda: start + 0.1 - time.monotonic())
    caller.close()
