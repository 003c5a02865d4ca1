"""A handler whose effects can be judged: every effect, repeats included, is one line of a file that all workers append to."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from ingestion.contracts.names import Lane
from ingestion.contracts.records import Done, Outcome, Record, Retry


class Conduct(BaseModel):
    """How the handler behaves."""

    work_s: float = 0.001
    """A record takes this long, after its effect."""
    batch_s: float = 0.0
    """A batch takes this long, after its effects."""
    retry: str = ""
    """Records of this token are retried once before they have an effect; what is behind them in their partition is not tried."""
    hang: str = ""
    """The handler hangs on the first record of this token that it sees ..."""
    hangs: int = 1
    """... so many times in all, all workers together."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect, in the order of the file, which is the order in which they happened."""

    lane: Lane
    source: str
    token: str
    distinct_id: str
    event_id: str


class JournalHandler:
    """Appends each record's effect with one write (atomic under O_APPEND, and it outlives SIGKILL)."""

    def __init__(self, path: Path, conduct: Conduct) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.directory = path.parent
        self._conduct = conduct
        self._hung = path.with_suffix(".hung")
        self._retried: set[str] = set()

    def handle(self, batch: Sequence[Record], /) -> Sequence[Outcome]:
        """One line a record; nothing is ever refused."""
        outcomes: list[Outcome] = []
        stopped: set[int] = set()
        for record in batch:
            if record.partition in stopped or self._retries(record):
                stopped.add(record.partition)
                outcomes.append(Retry(0.2))
                continue
            self._maybe_hang(record)
            line = (record.lane, record.source, record.token, record.distinct_id, record.event_id)
            os.write(self._file, ("\t".join(line) + "\n").encode())
            time.sleep(self._conduct.work_s)
            outcomes.append(Done())
        time.sleep(self._conduct.batch_s)
        return outcomes

    def _retries(self, record: Record) -> bool:
        if not record.token or record.token != self._conduct.retry or record.source in self._retried:
            return False
        self._retried.add(record.source)
        return True

    def _maybe_hang(self, record: Record) -> None:
        if not record.token or record.token != self._conduct.hang:
            return
        before = self._hung.stat().st_size if self._hung.exists() else 0
        if before < self._conduct.hangs:
            with self._hung.open("ab") as file:
                file.write(b".")
            while True:
                time.sleep(1)


def read(path: Path) -> list[Effect]:
    """All effects so far."""
    return [parse(line) for line in path.read_text(encoding="utf-8").splitlines()]


def parse(line: str) -> Effect:
    """One line's effect."""
    lane, source, token, distinct_id, event_id = line.split("\t")
    return Effect(Lane(lane), source, token, distinct_id, event_id)
