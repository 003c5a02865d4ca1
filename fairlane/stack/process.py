"""A child process that never outlives us, with its output in a log file."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

# On Linux the kernel signals a child when the *thread* that forked it ends, so a thread of ours forks it and stays until the child is gone. The
# launcher asks for that signal and then becomes the program: the process id is the program's own.
_LAUNCHER: Final = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(1, int(sys.argv[1]), 0, 0, 0) != 0:
    os.write(2, b"prctl(PR_SET_PDEATHSIG) failed\\n")
if os.getppid() != int(sys.argv[2]):
    sys.exit(1)
os.execv(sys.argv[3], sys.argv[3:])
"""


class ChildProcess:
    """One run of one program in its own session (Ctrl-C reaches us alone, and we stop it).

    On Linux it gets `death_signal` when we die, however we die. `log` is appended to.
    """

    def __init__(
        self,
        argv: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        death_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._argv = list(argv)
        self._log = log
        self._env = dict(os.environ if env is None else env)
        self._cwd = cwd
        self._death_signal = death_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None
        self._started = threading.Event()
        self._ended = threading.Event()

    def start(self) -> None:
        """Start it; returns when it runs. Raises OSError when it cannot be started or its log cannot be written."""
        with self._log.open("ab") as log:
            threading.Thread(
                target=self._keep, args=(log,), name=f"child-{Path(self._argv[0]).name}", daemon=True
            ).start()
            self._started.wait()
        if self._failure is not None:
            raise self._failure

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise RuntimeError("the process was not started")
        return self._process.pid

    def returncode(self) -> int | None:
        """Its exit status (negative: the signal that ended it), None while it runs."""
        return self._process.returncode if self._process is not None and self._ended.is_set() else None

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; False when it still runs after `timeout_s` seconds."""
        return self._ended.wait(timeout_s)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it has ended."""
        if self._process is not None and not self._ended.is_set():
            self._process.send_signal(number)

    def stop(self, grace_s: float) -> bool:
        """SIGTERM, `grace_s` seconds, SIGKILL. Returns whether it left by itself."""
        self.signal(signal.SIGTERM)
        # a stopped process (SIGSTOP) would keep the SIGTERM waiting
        self.signal(signal.SIGCONT)
        if self.wait(grace_s):
            return True
        self.kill()
        return False

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait(10)

    def _keep(self, log: IO[bytes]) -> None:
        argv = self._argv
        if sys.platform == "linux":
            argv = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(int(self._death_signal)), str(os.getpid()), *argv]
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self._cwd,
                start_new_session=True,
            )
        except OSError as error:
            self._failure = error
            self._ended.set()
            return
        finally:
            self._started.set()
        self._process.wait()
        self._ended.set()
