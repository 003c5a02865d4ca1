"""Is every signed month what was signed? By its own digests, and by the audit log, whose entries nobody can change unseen: whoever changes a row can work out its digests anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fairlane.auth.audit import AuditLog
from fairlane.auth.chain import Entry, clean
from fairlane.auth.identity import OS
from fairlane.sla.seal import VERSION, version_of
from fairlane.sla.signing import Signed, SignedMonths, TamperedMonth

MOST: Final = 10_000
"""Signatures that are looked for in the audit log."""
APART_MS: Final = 60_000
"""Before there were seals the entry was written after the row: at most so long."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A signed month that is what was signed."""

    signed: Signed
    logged: bool
    """Does the audit log tell of the signature, with the same digest, signer and note?"""

    @property
    def version(self) -> int:
        """Of its seal: 1 for none."""
        return version_of(self.signed.seal)

    @property
    def text(self) -> str:
        """What is proven, and by what."""
        covered = (
            f"{', '.join(self.signed.covered[:-1])} and {self.signed.covered[-1]}"
            if self.version > 1
            else "the document"
        )
        if self.version > 1:
            return f"sealed (version {self.version}): {covered}; the audit log agrees"
        log = (
            "signer and note are as the audit log tells" if self.logged else "the audit log does not tell who signed it"
        )
        return f"digest (version 1) of {covered} only; {log}"


def prove(months: SignedMonths, log: AuditLog, pipeline: str) -> list[Proof]:
    """Every signed month of the pipeline, in order.

    Raises TamperedMonth for the first that is not what was signed: a digest or the seal does not fit, the audit log tells otherwise, it tells nothing of a month
    that has a seal (with one, the signature and its entry are written together), or it tells of one that is gone. Raises SQLAlchemyError.
    """
    logged = {
        link.entry.target: link.entry
        for link in log.newest(MOST, action="sla.sign")
        if link.entry.outcome == "ok" and link.entry.details.get("pipeline") == pipeline
    }
    kept = [found for name in months.names() if (found := months.get(name)) is not None]
    if gone := logged.keys() - {one.month.month for one in kept}:
        raise _tampered(min(gone), "it is not there, but the audit log tells that it was signed")
    return [Proof(one, _agrees(one, logged.get(one.month.month))) for one in kept]


def _agrees(kept: Signed, entry: Entry | None) -> bool:
    """False when the log tells nothing and need not. Raises TamperedMonth."""
    name = kept.month.month
    if entry is None:
        if version_of(kept.seal) < VERSION:
            return False
        raise _tampered(name, "the audit log tells of no such signature")
    told = entry.details.get("sha256", "")
    if told != kept.sha256:
        raise _tampered(
            name, f"its digest is {kept.sha256[:12]}…, but the audit log tells that {told[:12]}… was signed"
        )
    seal = entry.details.get("seal", "")
    if seal != kept.seal:
        what = "has no seal" if not kept.seal else "has another seal"
        raise _tampered(name, f"it {what}, but the audit log tells that {seal[:14] or 'none'}… was put on it")
    if not seal and (differs := _differs(kept, entry)):
        raise _tampered(name, f"its {' and '.join(differs)} are not what the audit log tells")
    return True


def _differs(kept: Signed, entry: Entry) -> Sequence[str]:
    """What the log tells otherwise of a month without a seal. Its texts are cleaned."""
    # at the machine itself people sign with the name they give
    by = entry.details.get("said_by", entry.actor) if entry.via == OS else entry.actor
    found = {
        "signer": clean(kept.by) == by,
        "note": clean(kept.note) == entry.details.get("note", ""),
        "time": abs(entry.at_ms - kept.at_ms) <= APART_MS,
    }
    return [what for what, same in found.items() if not same]


def _tampered(month: str, why: str) -> TamperedMonth:
    return TamperedMonth(
        f"{month}: {why}. Somebody changed the database: restore the row of table sla_months from a backup, and look at `fairlane audit verify`"
    )
