"""Exceptions from a freeze as they are kept: who, why, until when. Nothing is deleted."""

from sqlalchemy import Engine, select, update

from slo.budget_policy import Waiver
from slo.errors import NotFound, UsageError
from slo.schema import WAIVERS
from slo.sql import Beside, alone, writer

LONGEST_S = 14 * 86_400
"""An exception is an exception: at most two weeks."""


class Waivers:
    """The exceptions in the database."""

    def __init__(self, engine: Engine) -> None:
        self._read = engine
        self._write = writer(engine)

    def grant(self, waiver: Waiver, beside: Beside = alone) -> None:
        """Keep a new one, with what `beside` writes.

        Raises UsageError without an approver or a reason, or for one that is over before it begins or longer than LONGEST_S; what `beside` raises.
        """
        if not waiver.by.strip() or not waiver.reason.strip():
            raise UsageError("an exception needs who approved it (--by) and why (--reason)")
        length_s = (waiver.expires_ms - waiver.since_ms) / 1000
        if not 0 < length_s <= LONGEST_S:
            raise UsageError(f"an exception lasts up to {LONGEST_S // 86_400} days, not {length_s / 86_400:.3g}")
        with self._write.begin() as conn:
            conn.execute(
                WAIVERS.insert().values(
                    id=waiver.id,
                    slo=waiver.slo,
                    by=waiver.by,
                    reason=waiver.reason,
                    since_ms=waiver.since_ms,
                    expires_ms=waiver.expires_ms,
                    revoked_ms=None,
                )
            )
            beside(conn)

    def revoke(self, id_: str, at_ms: int, beside: Beside = alone) -> None:
        """End one now, with what `beside` writes. Raises NotFound for one that is not there or has ended; what `beside` raises."""
        with self._write.begin() as conn:
            there = (WAIVERS.c.id == id_, WAIVERS.c.revoked_ms.is_(None), WAIVERS.c.expires_ms > at_ms)
            if conn.execute(update(WAIVERS).where(*there).values(revoked_ms=at_ms)).rowcount != 1:
                raise NotFound(f"there is no exception '{id_}' that still holds; `fairlane slo waivers` lists them")
            beside(conn)

    def all(self) -> list[Waiver]:
        """Every exception ever, newest first."""
        with self._read.connect() as conn:
            rows = conn.execute(select(WAIVERS).order_by(WAIVERS.c.since_ms.desc(), WAIVERS.c.id))
            return [Waiver(r.id, r.slo, r.by, r.reason, r.since_ms, r.expires_ms, r.revoked_ms) for r in rows]
