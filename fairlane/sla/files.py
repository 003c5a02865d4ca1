"""A month as files: JSON for programs (the document, and who signed it), CSV for sheets (a line a promise)."""

import csv
import io
from typing import Any

import orjson

from fairlane.sla.month import Moved, Promise
from fairlane.sla.months import Sheet
from fairlane.sla.signing import Signed

COLUMNS = (
    "month",
    "stage",
    "pipeline",
    "promise",
    "title",
    "population",
    "unit",
    "target",
    "outcome",
    "achieved",
    "achieved_with_maintenance",
    "budget_s",
    "budget_spent_s",
    "budget_spent_with_maintenance_s",
    "good",
    "total",
    "excluded_good",
    "excluded_total",
    "observed_s",
    "due_s",
)


def told(sheet: Sheet) -> dict[str, Any]:
    """For JSON: the document, what follows from it, and how far it is."""
    m = sheet.month
    signed = sheet.signed
    return {
        "month": m.month,
        "stage": str(sheet.stage),
        "signed": signature(signed) if signed else None,
        "revised": list(sheet.revised),
        "settled_s": sheet.settled_s,
        "complete": None if m.complete is None else float(m.complete),
        "promises": [figures(p) for p in m.promises],
        "moved": moved_of(m.moved) if m.moved else None,
        "document": orjson.Fragment(signed.body if signed else m.canonical()),
    }


def signature(signed: Signed) -> dict[str, Any]:
    """Who signed and what nobody can change unseen; with it a reader can work out the seal again (`fairlane.sla.seal`)."""
    return {
        "by": signed.by,
        "at_ms": signed.at_ms,
        "note": signed.note,
        "sha256": signed.sha256,
        "seal": signed.seal,
        "covered": list(signed.covered),
    }


def moved_of(moved: Moved) -> dict[str, Any]:
    """Shares of what was moved (0 to 1): of the tokens (at most; None when nobody counted the active ones), and of the traffic."""
    return {
        "tokens": moved.tokens,
        "active_tokens": moved.active,
        "token_share": _float(moved.token_share),
        "counted": _float(moved.counted),
        "traffic_share": _float(moved.share),
        "achieved": _float(moved.achieved),
    }


def figures(p: Promise) -> dict[str, Any]:
    """What follows from a promise's counts; ratios are None without traffic."""
    account = p.account
    return {
        "name": p.name,
        "title": p.title,
        "population": p.population,
        "unit": p.unit,
        "target": p.target,
        "outcome": str(p.outcome),
        "achieved": _float(account.achieved),
        "achieved_with_maintenance": _float(account.achieved_with),
        "budget_s": account.budget.whole_s,
        "budget_spent_s": account.budget.spent_s,
        "budget_left_s": account.budget.left_s,
        "budget_spent_with_maintenance_s": account.budget_with.spent_s,
        "good": p.counts.good,
        "total": p.counts.total,
        "excluded_good": p.counts.out_good,
        "excluded_total": p.counts.out_total,
        "observed_s": p.counts.observed_s,
        "due_s": p.counts.due_s,
        "complete": _float(account.sums.coverage),
    }


def json_of(sheet: Sheet) -> bytes:
    """As JSON; `document` is the canonical JSON that was signed, byte for byte."""
    return orjson.dumps(told(sheet))


def csv_of(sheet: Sheet) -> str:
    """As CSV (RFC 4180), a header first. Text that a spreadsheet would run as a formula is quoted by an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    m = sheet.month
    for p in m.promises:
        row = {**figures(p), "month": m.month, "stage": sheet.stage, "pipeline": m.pipeline, "promise": p.name}
        writer.writerow([safe(row[name]) for name in COLUMNS])
    return out.getvalue()


def safe(value: object) -> object:
    """A CSV cell that no spreadsheet runs as a formula; None is empty."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return "" if value is None else value


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
