"""An advisory lock on a file, released by the kernel when its holder dies."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Held(Exception):
    """Somebody else holds the lock; `pid` is who, when it can be read."""

    def __init__(self, path: Path, pid: str) -> None:
        super().__init__(f"{path} is held by process {pid or 'unknown'}")
        self.pid = pid


class FileLock:
    """One holder at a time among all processes that lock the same path."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def acquire(self, wait_s: float = 0.0) -> None:
        """Take the lock, waiting up to `wait_s` seconds. Raises Held when it stays taken, OSError when the file cannot be opened."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    pid = os.read(fd, 32).decode(errors="replace").strip()
                    os.close(fd)
                    raise Held(self._path, pid) from None
                time.sleep(0.1)
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Give the lock back; nothing happens when it is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


@contextmanager
def locked(path: Path, wait_s: float) -> Iterator[None]:
    """Hold the lock on `path` for the block. Raises Held after `wait_s` seconds."""
    lock = FileLock(path)
    lock.acquire(wait_s)
    try:
        yield
    finally:
        lock.release()
