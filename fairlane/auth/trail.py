"""Recording what was done without standing in its way: into the chain, else into the spool, else into the process's log. Also the audited desk."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Protocol

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from fairlane.auth import chain
from fairlane.auth.audit import AuditLog, Deed, append, entry_of
from fairlane.auth.chain import Entry
from fairlane.auth.spool import MARK, Spool
from fairlane.schema import AUDIT
from fairlane.stack.lock import Held
from ingestion.contracts.telemetry import Action, Command
from isolator.answers import Answer
from slo.clock import Clock
from slo.errors import Conflict, FairlaneError, UsageError
from slo.sql import writer

log = logging.getLogger(__name__)

Database = Callable[[], AbstractContextManager[Engine]]
"""A database for the length of a with-block; entering it may raise Unreachable."""

FAILED: Final = "failed"
REFUSED: Final = "refused"


class Recorder(Protocol):
    """Keeps what was done."""

    def record(self, deed: Deed) -> None:
        """Keep it; never raises: what was done was done."""
        ...


class NoTrail:
    """Keeps nothing: for an app without a database."""

    def record(self, deed: Deed) -> None:
        """Forget it."""


class Trail:
    """Into the database of `use`, which may be away for a while; the kill switch must work then too, and be in the log afterwards."""

    def __init__(self, use: Database, spool: Spool, clock: Clock) -> None:
        self._use = use
        self._spool = spool
        self._clock = clock

    def record(self, deed: Deed) -> None:
        """Keep it; never raises."""
        entry = entry_of(deed, int(self._clock.now() * 1000))
        try:
            with self._use() as engine:
                self.catch_up(engine)
                AuditLog(engine, self._clock).add([entry])
        except (SQLAlchemyError, FairlaneError, OSError, Held, ValueError, KeyError) as error:
            # the last two: a spooled line that somebody has edited
            self._aside(entry, error)

    def catch_up(self, engine: Engine) -> int:
        """Bring what was kept aside into the chain; how many. Raises SQLAlchemy's errors, AuditBroken, OSError and Held: nothing is lost then."""
        return self._spool.empty(lambda entries: _put(engine, entries))

    def _aside(self, entry: Entry, why: Exception) -> None:
        first = (str(getattr(why, "orig", None) or why).strip().splitlines() or [type(why).__name__])[0]
        log.warning("the audit log cannot be written now (%s): kept in the state directory until it can", first)
        try:
            self._spool.keep(entry)
        except (OSError, Held) as error:
            # the last resort: the log of the process has it
            log.error("an audit entry could not be kept (%s): %s", error, chain.canonical(entry).decode())  # noqa: TRY400 - the entry matters, not our stack


def _put(engine: Engine, entries: list[Entry]) -> None:
    """Those that are not in the chain yet: a process may have died after it had put them there."""
    with writer(engine).begin() as conn:
        for entry in entries:
            there = select(AUDIT.c.seq).where(
                AUDIT.c.at_ms == entry.at_ms, AUDIT.c.details.contains(entry.details[MARK], autoescape=True)
            )
            if conn.execute(there).first() is None:
                append(conn, entry)


class Sender(Protocol):
    """Takes commands to the controller (`fairlane.app.desk.Desk`)."""

    def send(self, wanted: Command) -> Answer:
        """Carry it there and wait for the answer. Raises FairlaneError."""
        ...


class AuditedDesk:
    """A desk whose every command is recorded with what came of it."""

    def __init__(self, desk: Sender, trail: Recorder) -> None:
        self._desk = desk
        self._trail = trail

    def send(self, wanted: Command) -> Answer:
        """Send it on, record it, answer as the desk did. Raises what the desk raises."""
        try:
            answer = self._desk.send(wanted)
        except (Conflict, UsageError) as error:
            self._trail.record(deed_of(wanted, REFUSED, str(error)))
            raise
        except FairlaneError as error:
            # without an answer nobody knows whether it is carried out later
            self._trail.record(deed_of(wanted, FAILED, str(error)))
            raise
        self._trail.record(deed_of(wanted, "ok", answer.message, answer.verdict_id))
        return answer


def deed_of(wanted: Command, outcome: str, answer: str, verdict_id: str = "") -> Deed:
    """A command as a deed."""
    target = wanted.mode if wanted.action is Action.MODE else wanted.token or wanted.service
    details = {
        "pipeline": wanted.pipeline,
        "lane": str(wanted.lane or ""),
        "reason": wanted.reason,
        "until": "" if wanted.expires_ms is None else chain.utc(wanted.expires_ms),
        "version": wanted.version,
        "command": wanted.id,
        "verdict": verdict_id,
        "answer": answer,
    }
    return Deed(str(wanted.action), target, outcome, details, wanted.by)
