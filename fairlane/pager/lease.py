"""One pager a database: whoever holds the lease judges and sends, the others wait."""

from typing import Final
from uuid import uuid4

from sqlalchemy import Engine, or_, update
from sqlalchemy.dialects import postgresql, sqlite

from fairlane.schema import PAGER_LEASE as LEASE
from slo.clock import Clock
from slo.sql import writer

HOLD_S: Final = 45.0
"""A holder that has not come back for so long has died."""
_NAME: Final = "pager"


class Lease:
    """This process's claim."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._write = writer(engine)
        self._clock = clock
        self._me = uuid4().hex

    def hold(self) -> bool:
        """Is it ours from now on for HOLD_S? A claim that lies too far ahead comes from a clock that has jumped, and counts as run out."""
        now = int(self._clock.now() * 1000)
        until = now + int(HOLD_S * 1000)
        free = or_(LEASE.c.holder == self._me, LEASE.c.until_ms < now, LEASE.c.until_ms > until)
        with self._write.begin() as conn:
            dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
            row = {"name": _NAME, "holder": self._me, "until_ms": until}
            new = dialect.insert(LEASE).values(row).on_conflict_do_nothing().returning(LEASE.c.name)
            if conn.execute(new).first() is not None:
                return True
            claim = update(LEASE).where(LEASE.c.name == _NAME, free).values(holder=self._me, until_ms=until)
            return bool(conn.execute(claim).rowcount)

    def release(self) -> None:
        """Let the next one begin at once."""
        with self._write.begin() as conn:
            conn.execute(update(LEASE).where(LEASE.c.name == _NAME, LEASE.c.holder == self._me).values(until_ms=0))
