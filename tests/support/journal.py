"""A handler whose effects can be judged: every effect, repeats included, is one line of a file that all workers append to."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingestion.contracts.names import Lane
from ingestion.contracts.records import Done, Outcome, Record


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect, in the order of the file, which is the order in which they happened."""

    lane: Lane
    source: str
    token: str
    distinct_id: str
    event_id: str


class JournalHandler:
    """Appends each record's effect with one write (atomic under O_APPEND, and it outlives SIGKILL), then takes `work_s`."""

    def __init__(self, path: Path, work_s: float) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._work_s = work_s

    def handle(self, batch: Sequence[Record], /) -> Sequence[Outcome]:
        """One line a record; nothing is ever refused."""
        for record in batch:
            line = (record.lane, record.source, record.token, record.distinct_id, record.event_id)
            os.write(self._file, ("\t".join(line) + "\n").encode())
            time.sleep(self._work_s)
        return [Done()] * len(batch)


def read(path: Path) -> list[Effect]:
    """All effects so far."""
    effects = []
    for line in path.read_text(encoding="utf-8").splitlines():
        lane, source, token, distinct_id, event_id = line.split("\t")
        effects.append(Effect(Lane(lane), source, token, distinct_id, event_id))
    return effects
