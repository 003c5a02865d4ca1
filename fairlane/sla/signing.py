"""Signed months as they are kept: the canonical JSON and its digest, who signed, when and why, and the seal over all of it. A signed month is never changed."""

import hashlib
import logging
from dataclasses import dataclass

from sqlalchemy import Engine, Row, select
from sqlalchemy.exc import IntegrityError

from fairlane.auth.audit import Deed, noted
from fairlane.schema import SLA_MONTHS
from fairlane.sla.month import Month, decode
from fairlane.sla.seal import COVERED, seal_of, version_of
from slo.errors import Conflict, FairlaneError, UsageError
from slo.sql import writer

_log = logging.getLogger(__name__)


class TamperedMonth(FairlaneError):
    """A signed month is not what was signed."""

    problem = "tampered-month"


@dataclass(frozen=True, slots=True)
class Signed:
    """A month that somebody answers for."""

    month: Month
    body: str
    """The canonical JSON as it was signed."""
    sha256: str
    """Of `body`."""
    by: str
    note: str
    at_ms: int
    seal: str = ""
    """Over all of it (`fairlane.sla.seal`); empty for a month that was signed before there were seals."""

    @property
    def covered(self) -> tuple[str, ...]:
        """What nobody can change in the database without its being seen here: the document, and with a seal also `signer`, `time` and `note`."""
        return COVERED[version_of(self.seal)]


class SignedMonths:
    """The signed months of one pipeline."""

    def __init__(self, engine: Engine, pipeline: str) -> None:
        self._read = engine
        self._write = writer(engine)
        self._pipeline = pipeline

    def sign(self, month: Month, by: str, note: str, at_ms: int, said_by: str = "") -> Signed:
        """Keep it for ever, together with its entry in the audit log (`said_by`: what was written in a field for a name, where that is not `by`).

        Raises UsageError without `by`, Conflict when that month is signed already, AuditBroken when the audit log takes no entry: nothing is signed then.
        """
        if not by.strip():
            raise UsageError("a signature needs a name: --by")
        body, sha256 = month.canonical().decode(), month.sha256
        seal = seal_of(pipeline=self._pipeline, month=month.month, sha256=sha256, by=by, note=note, at_ms=at_ms)
        row = {
            "pipeline": self._pipeline,
            "month": month.month,
            "body": body,
            "sha256": sha256,
            "signed_by": by,
            "note": note,
            "signed_ms": at_ms,
            "seal": seal,
        }
        details = {"sha256": sha256, "seal": seal, "note": note, "pipeline": self._pipeline}
        beside = noted(Deed("sla.sign", month.month, details=details, by=said_by or by), at_ms)
        with self._write.begin() as conn:
            try:
                conn.execute(SLA_MONTHS.insert().values(row))
            except IntegrityError as error:
                raise Conflict(
                    f"{month.month} is signed already and stays as it is; later data is told beside it"
                ) from error
            beside(conn)
        return Signed(month, body, sha256, by, note, at_ms, seal)

    def names(self) -> list[str]:
        """The months that are signed, in order."""
        query = select(SLA_MONTHS.c.month).where(SLA_MONTHS.c.pipeline == self._pipeline).order_by(SLA_MONTHS.c.month)
        with self._read.connect() as conn:
            return [row.month for row in conn.execute(query)]

    def get(self, month: str) -> Signed | None:
        """One, None when it is not signed. Raises TamperedMonth for one that is not what was signed."""
        mine = (SLA_MONTHS.c.pipeline == self._pipeline, SLA_MONTHS.c.month == month)
        with self._read.connect() as conn:
            row = conn.execute(select(SLA_MONTHS).where(*mine)).first()
        return _signed(row) if row is not None else None

    def since(self, month: str) -> dict[str, Signed]:
        """Those of `month` and later, by name, for the trends of others: one that is not what was signed is left out (`get` raises for it) and logged."""
        mine = (SLA_MONTHS.c.pipeline == self._pipeline, SLA_MONTHS.c.month >= month)
        with self._read.connect() as conn:
            rows = conn.execute(select(SLA_MONTHS).where(*mine).order_by(SLA_MONTHS.c.month)).all()
        found: dict[str, Signed] = {}
        for row in rows:
            try:
                found[row.month] = _signed(row)
            except TamperedMonth as error:
                _log.warning("left out of the trend: %s", error)
        return found


def _signed(row: Row[tuple[str, str, str, str, str, str, int, str]]) -> Signed:
    digest = hashlib.sha256(row.body.encode()).hexdigest()
    if digest != row.sha256:
        raise TamperedMonth(
            f"{row.month}: what is in the database has the digest {digest[:12]}…, signed was {row.sha256[:12]}… (by {row.signed_by}). "
            "Somebody changed it after it was signed: restore the row of table sla_months from a backup"
        )
    _unbroken(row)
    try:
        month = decode(row.body)
    except (ValueError, KeyError, TypeError) as error:
        raise TamperedMonth(
            f"{row.month}: its document cannot be read ({error}); it was signed by a newer fairlane, or never by one"
        ) from error
    if (month.pipeline, month.month) != (row.pipeline, row.month):
        raise TamperedMonth(
            f"{row.month}: its document is that of {month.month} of {month.pipeline}: restore the row of table sla_months from a backup"
        )
    return Signed(month, row.body, row.sha256, row.signed_by, row.note, row.signed_ms, row.seal)


def _unbroken(row: Row[tuple[str, str, str, str, str, str, int, str]]) -> None:
    """Raises TamperedMonth when the seal is not that of what stands in the row."""
    try:
        sealed = version_of(row.seal) > 1
    except ValueError as error:
        raise TamperedMonth(f"{row.month}: {error}") from error
    told = {"sha256": row.sha256, "by": row.signed_by, "note": row.note, "at_ms": row.signed_ms}
    if sealed and seal_of(pipeline=row.pipeline, month=row.month, **told) != row.seal:
        raise TamperedMonth(
            f"{row.month}: its seal does not fit: the document is what was signed, but who signed it ({row.signed_by}), when, or the note is not. "
            "Somebody changed it after it was signed: restore the row of table sla_months from a backup"
        )
