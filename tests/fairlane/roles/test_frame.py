"""Signals become a stop; a role that does not stop is ended."""

import os
import signal
import subprocess
import sys
import time

from fairlane.roles.frame import STUCK, stop_on_signals


def test_a_signal_sets_the_stop_and_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_role_that_does_not_stop_is_ended_hard() -> None:
    code = "import time\nfrom fairlane.roles.frame import stop_on_signals\nwith stop_on_signals(0.5):\n    print('up', flush=True)\n"
    code += "    while True: time.sleep(0.1)\n"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as stuck:
        assert stuck.stdout is not None
        assert stuck.stdout.readline() == "up\n"
        began = time.monotonic()
        stuck.terminate()
        assert stuck.wait(10) == STUCK
        assert time.monotonic() - began < 5
