"""Short histories for the pictures of a move: what each status of the controller says of conspicuous tokens and of the partitions, kept in `series`.

Names: `work/TOKEN` and `usual/TOKEN` (handler seconds a second: arriving, and its baseline) of every moved token and of the 20 most conspicuous, `delay/P`
(seconds of queue of a general partition, moved tokens apart) and `rho_with/P` (its utilisation, had nobody been moved). Each tick while anybody is moved or
anything is hot, else once a minute. A tick that was not recorded (no controller, no database) is a gap, never a zero.
The number of active tokens is kept beside them, by the hour (`fairlane.sla.crowd`).
"""

import logging
import threading
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from fairlane.sla.crowd import Crowds
from isolator.state import StateReader
from isolator.status import PipelineStatus
from slo.errors import FairlaneError
from slo.series import STEP_MS, put_points
from slo.sql import writer

CALM_STEP_MS: Final = 60_000
POLL_S: Final = 0.5
RETRY_S: Final = 5.0
NEVER_MS: Final = -CALM_STEP_MS
log = logging.getLogger(__name__)
Values = Mapping[tuple[str, int], float]


def points(status: PipelineStatus) -> dict[tuple[str, int], float]:
    """What a status adds to the series, by (name, Unix ms on a step)."""
    at = status.last_tick_ms // STEP_MS * STEP_MS
    found: dict[tuple[str, int], float] = {}
    for score in status.scores:
        found["work/" + score.token, at] = score.work
        if score.ratio > 0:
            found["usual/" + score.token, at] = score.work / score.ratio
    for watched in status.watched:
        found["work/" + watched.token, at] = watched.work
        found["usual/" + watched.token, at] = watched.baseline_work
    for partition, delay_s in enumerate(status.partition_delay_s):
        found[f"delay/{partition}", at] = delay_s
    for partition, rho in enumerate(status.partition_rho_with_moved):
        found[f"rho_with/{partition}", at] = rho
    return found


def due(status: PipelineStatus, written_ms: int) -> bool:
    """Is this tick to be recorded, when the last recorded one was at `written_ms`?"""
    if status.last_tick_ms // STEP_MS <= written_ms // STEP_MS or status.stale:
        return False
    interesting = bool(status.moved or status.hot_partitions)
    return interesting or status.last_tick_ms - written_ms >= CALM_STEP_MS


class TraceRecorder:
    """Records one pipeline. Runs beside the decision and never in its way: what cannot be written is left out."""

    def __init__(self, kafka: Mapping[str, Any], pipeline: str, engine: Engine) -> None:
        self._kafka = dict(kafka)
        self._pipeline = pipeline
        self._write = writer(engine)
        self._crowds = Crowds(engine, pipeline)
        self._written_ms = NEVER_MS

    def run(self, stop: threading.Event) -> int:
        """Record until `stop`; returns 0. Trouble with Kafka or the database is logged and waited out."""
        while not stop.is_set():
            try:
                self._follow(stop)
            except (FairlaneError, SQLAlchemyError) as error:
                log.warning("no histories for now, trying again in %.0f s: %s", RETRY_S, error)
                stop.wait(RETRY_S)
        return 0

    def _follow(self, stop: threading.Event) -> None:
        reader = StateReader(self._kafka, [self._pipeline], from_end=True)
        try:
            while not stop.is_set():
                reader.poll(POLL_S)
                status = reader.status(self._pipeline)
                if status is not None:
                    self.record(status)
        finally:
            reader.close()

    def record(self, status: PipelineStatus) -> bool:
        """Write what `status` says if it is due. Raises sqlalchemy.exc.SQLAlchemyError."""
        if not due(status, self._written_ms):
            return False
        with self._write.begin() as connection:
            put_points(connection, self._pipeline, points(status))
        self._crowds.note(status.active_tokens, status.last_tick_ms / 1000)
        self._written_ms = status.last_tick_ms
        return True
