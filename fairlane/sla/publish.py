"""Writes a directory as a whole: whoever reads it sees the old files until all of the new ones are there, and never a mixture."""

import ctypes
import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from fairlane.sla.site import CONTRACT, SUMMARY
from slo.errors import UsageError

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
_LEFT: Final = ".fairlane-publish-"
"""What a run that was killed may leave beside the directory; the next one clears it away."""
_SUFFIXES: Final = frozenset({".html", ".json", ".csv", ".svg", ".css"})
"""Of what a site is made of: anything else in the directory is somebody's own."""
WAIT_S: Final = 30.0
"""So long another run beside this one may take."""


def publish(out: Path, contents: Mapping[str, bytes]) -> None:
    """Make `out` hold exactly `contents` (relative path to bytes), in one step where the system can swap two directories (Linux), in two renames elsewhere.

    Raises UsageError for a directory that holds something else than a published site, or cannot be written.
    """
    out = out.absolute()
    if not _ours(out):
        raise UsageError(
            f"publish: {out} holds something else than a published site, and it would be replaced as a whole: choose an empty or new directory"
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _alone(out.parent):
            _clear(out)
            fresh = Path(tempfile.mkdtemp(prefix=f"{_LEFT}{out.name}-", dir=out.parent))
            try:
                for path, content in contents.items():
                    file = fresh / path
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(content)
                fresh.chmod(0o755)
                _sync(fresh)
                _swap(fresh, out)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise UsageError(
            f"publish: cannot write {out}: {error.strerror or error}. Choose a directory that you may write: fairlane publish -o DIRECTORY"
        ) from error


def _ours(out: Path) -> bool:
    """Is there nothing, or what an earlier run wrote?"""
    if not out.exists():
        return True
    if not out.is_dir() or out.is_symlink():
        return False
    if not any(out.iterdir()):
        return True
    if any(p.name.startswith(".") or (p.is_file() and p.suffix not in _SUFFIXES) for p in out.rglob("*")):
        return False
    summary = out / SUMMARY
    return summary.is_file() and f'"{CONTRACT}"'.encode() in summary.read_bytes()[:200]


@contextmanager
def _alone(parent: Path) -> Iterator[None]:
    """One run in `parent` at a time: another one would clear away what this one is writing. Raises TimeoutError after WAIT_S."""
    handle = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise TimeoutError(110, "another run is publishing there") from None
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def _clear(out: Path) -> None:
    """Take away what killed runs left; the old site comes back when one was killed between its two renames."""
    left = re.compile(rf"{re.escape(_LEFT + out.name)}-[a-z0-9_]+(-old)?")
    for path in sorted(out.parent.iterdir()):
        found = left.fullmatch(path.name)
        if found is None:
            continue
        if found[1] and not out.exists():
            path.rename(out)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _swap(fresh: Path, out: Path) -> None:
    """Put `fresh` in the place of `out`; what was there is in `fresh` afterwards."""
    if not out.exists():
        fresh.rename(out)
        return
    if _exchange(fresh, out):
        return
    old = fresh.with_name(f"{fresh.name}-old")
    out.rename(old)
    try:
        fresh.rename(out)
    except OSError:
        old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exchange(a: Path, b: Path) -> bool:
    """Swap two directories in one step; False where the system or its file system cannot."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    return bool(call(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _RENAME_EXCHANGE) == 0)


def _sync(directory: Path) -> None:
    """Files and names are on the disk before they take the old ones' place."""
    for path in [*directory.rglob("*"), directory]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
