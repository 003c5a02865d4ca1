"""Entries of the audit log that the database could not take: a file that survives the process, emptied into the chain as soon as the database is back."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import orjson

from fairlane.auth.chain import Entry
from fairlane.stack.lock import locked

WAIT_S: Final = 5.0
NAME: Final = "audit-spool.jsonl"
"""The file in the state directory."""
MARK: Final = "spooled"
"""Detail that names a spooled entry, so that it enters the chain once even when its process dies in between."""


class Spool:
    """One file a state directory, shared by its processes."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / NAME

    def keep(self, entry: Entry) -> None:
        """Write it to the disk. Raises OSError or Held when that cannot be done."""
        marked = replace(entry, details={**entry.details, MARK: uuid.uuid4().hex})
        with self._alone():
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, orjson.dumps(asdict(marked)) + b"\n")
                os.fsync(fd)
            finally:
                os.close(fd)

    def empty(self, put: Callable[[list[Entry]], None]) -> int:
        """Give all entries to `put`, in order, and forget them when it returns; how many. What `put` raises leaves the file as it is."""
        if not self._path.exists():
            return 0
        with self._alone():
            entries = list(self._entries())
            if entries:
                put(entries)
            self._path.unlink(missing_ok=True)
        return len(entries)

    def _entries(self) -> Iterator[Entry]:
        for line in self._path.read_bytes().splitlines() if self._path.exists() else ():
            try:
                yield Entry(**orjson.loads(line))
            except (orjson.JSONDecodeError, TypeError):
                # torn by a full disk: what can be read of it is kept all the same
                text = line.decode(errors="replace")
                yield Entry(0, 0, "?", "?", "audit.torn", "", "failed", {"line": text, MARK: uuid.uuid4().hex})

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self._path.with_suffix(".lock"), WAIT_S):
            yield
