"""Proving signed months: whoever edits the database is found, also for what the document's own digest does not cover."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, select, update
from sqlalchemy.exc import OperationalError

from fairlane.auth.audit import AuditLog, Deed
from fairlane.auth.identity import OS, Identity, acting
from fairlane.auth.role import Role
from fairlane.schema import SLA_MONTHS
from fairlane.sla import signing
from fairlane.sla.months import Months
from fairlane.sla.proof import Proof, prove
from fairlane.sla.seal import seal_of
from fairlane.sla.signing import SignedMonths, TamperedMonth
from slo.clock import ManualClock
from slo.errors import AuditBroken
from tests.support import sla_story as story
from tests.support.beheaded import behead

PERSON = Identity("mv", frozenset(Role), OS)


@pytest.fixture
def clock(tmp_path: Path) -> ManualClock:
    return story.copy(tmp_path)


@pytest.fixture
def engine(tmp_path: Path, clock: ManualClock) -> Iterator[Engine]:
    engine = story.opened(tmp_path)
    yield engine
    engine.dispose()


@pytest.fixture
def months(engine: Engine, clock: ManualClock) -> Months:
    return story.months_of(engine, clock)


def proofs(engine: Engine) -> list[Proof]:
    return prove(SignedMonths(engine, story.PIPELINE), AuditLog(engine), story.PIPELINE)


def edit(engine: Engine, **values: object) -> None:
    with engine.begin() as conn:
        conn.execute(update(SLA_MONTHS).values(**values))


def signed_before_there_were_seals(engine: Engine, months: Months, clock: ManualClock, *, logged: bool = True) -> None:
    """As the build before wrote it: the row, then the entry, which knows of no seal."""
    month = months.get("2026-10").month.public()
    row = {"pipeline": story.PIPELINE, "month": month.month, "body": month.canonical().decode(), "sha256": month.sha256}
    with engine.begin() as conn:
        conn.execute(
            SLA_MONTHS.insert().values(**row, signed_by="M. Varga", note="reviewed", signed_ms=int(clock.now() * 1000))
        )
    if logged:
        details = {"sha256": month.sha256, "note": "reviewed", "pipeline": story.PIPELINE}
        with acting(PERSON):
            AuditLog(engine, clock).record(Deed("sla.sign", "2026-10", details=details, by="M. Varga"))


@pytest.mark.parametrize(
    "changed", [{"signed_by": "Somebody Else"}, {"note": "nobody looked"}, {"signed_ms": 1_793_800_000_000}], ids=str
)
def test_who_signed_when_and_why_cannot_be_changed_unseen(
    months: Months, engine: Engine, changed: dict[str, object]
) -> None:
    months.sign("2026-10", "M. Varga", "reviewed")
    (proof,) = proofs(engine)
    assert (proof.version, proof.logged) == (2, True)
    assert proof.text == "sealed (version 2): document, signer, time and note; the audit log agrees"
    edit(engine, **changed)
    with pytest.raises(TamperedMonth, match="2026-10: its seal does not fit"):
        proofs(engine)
    with pytest.raises(TamperedMonth, match="its seal does not fit"):
        months.get("2026-10")


def test_a_seal_that_was_worked_out_anew_is_not_the_one_of_the_audit_log(months: Months, engine: Engine) -> None:
    kept = months.sign("2026-10", "M. Varga", "reviewed").signed
    assert kept is not None
    told = {"pipeline": story.PIPELINE, "month": "2026-10", "sha256": kept.sha256, "note": kept.note}
    edit(engine, signed_by="Eve", seal=seal_of(**told, by="Eve", at_ms=kept.at_ms))
    with pytest.raises(TamperedMonth, match="it has another seal, but the audit log tells that 2:"):
        proofs(engine)


def test_a_seal_that_was_taken_off_is_missed(months: Months, engine: Engine) -> None:
    months.sign("2026-10", "M. Varga", "reviewed")
    edit(engine, signed_by="Eve", seal="")
    with pytest.raises(TamperedMonth, match="it has no seal, but the audit log tells that 2:"):
        proofs(engine)


def test_a_seal_of_an_unknown_version_is_not_taken(months: Months, engine: Engine) -> None:
    months.sign("2026-10", "M. Varga", "reviewed")
    edit(engine, seal="9:ab")
    with pytest.raises(TamperedMonth, match="a seal of version '9'"):
        months.get("2026-10")


def test_a_sealed_month_of_which_the_log_knows_nothing_is_forged(months: Months, engine: Engine) -> None:
    months.sign("2026-10", "M. Varga", "reviewed")
    with engine.begin() as conn:
        body = conn.execute(select(SLA_MONTHS.c.body)).scalar_one().replace("2026-10", "2026-09")
        sha256 = hashlib.sha256(body.encode()).hexdigest()
        told = {"pipeline": story.PIPELINE, "month": "2026-09", "sha256": sha256, "note": ""}
        row = {"body": body, "signed_by": "Eve", "signed_ms": 1, "seal": seal_of(**told, by="Eve", at_ms=1), **told}
        conn.execute(SLA_MONTHS.insert().values(row))
    with pytest.raises(TamperedMonth, match="2026-09: the audit log tells of no such signature"):
        proofs(engine)


def test_a_signed_month_that_is_gone_is_missed(months: Months, engine: Engine) -> None:
    months.sign("2026-10", "M. Varga", "reviewed")
    with engine.begin() as conn:
        conn.execute(delete(SLA_MONTHS))
    with pytest.raises(TamperedMonth, match="2026-10: it is not there, but the audit log tells that it was signed"):
        proofs(engine)


def test_a_document_does_not_stand_for_another_month(months: Months, engine: Engine, clock: ManualClock) -> None:
    signed_before_there_were_seals(engine, months, clock)
    edit(engine, month="2026-09")
    with pytest.raises(TamperedMonth, match="2026-09: its document is that of 2026-10 of"):
        months.get("2026-09")


def test_a_month_from_before_the_seals_stays_proven_and_says_what_is_covered(
    months: Months, engine: Engine, clock: ManualClock
) -> None:
    signed_before_there_were_seals(engine, months, clock)
    (proof,) = proofs(engine)
    assert (proof.version, proof.logged, proof.signed.covered) == (1, True, ("document",))
    assert proof.text == "digest (version 1) of the document only; signer and note are as the audit log tells"
    shown = months.get("2026-10").signed
    assert shown is not None
    assert shown.by == "M. Varga"


@pytest.mark.parametrize(
    ("changed", "what"),
    [({"signed_by": "Eve"}, "signer"), ({"note": ""}, "note"), ({"signed_ms": 1_793_000_000_000}, "time")],
    ids=str,
)
def test_who_signed_before_there_were_seals_is_held_against_the_audit_log(
    months: Months, engine: Engine, clock: ManualClock, changed: dict[str, object], what: str
) -> None:
    signed_before_there_were_seals(engine, months, clock)
    edit(engine, **changed)
    with pytest.raises(TamperedMonth, match=f"its {what} are not what the audit log tells"):
        proofs(engine)


def test_without_seal_and_entry_only_the_document_is_proven(months: Months, engine: Engine, clock: ManualClock) -> None:
    signed_before_there_were_seals(engine, months, clock, logged=False)
    (proof,) = proofs(engine)
    assert (proof.logged, proof.text) == (
        False,
        "digest (version 1) of the document only; the audit log does not tell who signed it",
    )


def test_a_signature_that_the_audit_log_cannot_take_is_not_given(months: Months, engine: Engine) -> None:
    behead(engine)
    with pytest.raises(AuditBroken):
        months.sign("2026-10", "M. Varga", "")
    assert SignedMonths(engine, story.PIPELINE).names() == []


def test_a_signature_whose_row_cannot_be_kept_is_not_in_the_audit_log(
    months: Months, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OperationalError("insert", {}, Exception("disk full"))

    monkeypatch.setattr(signing, "noted", lambda *_: full)
    with pytest.raises(OperationalError):
        months.sign("2026-10", "M. Varga", "")
    assert SignedMonths(engine, story.PIPELINE).names() == []
    assert [link for link in AuditLog(engine).links() if link.entry.action == "sla.sign"] == []
