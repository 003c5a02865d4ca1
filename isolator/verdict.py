"""A verdict: a decision with what was observed, the threshold, the unit, the evidence and a suggestion."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final

import orjson

from ingestion.contracts.names import Lane
from isolator import words


class VerdictKind(StrEnum):
    """What was decided."""

    MOVE = "move"
    RESTORE = "restore"
    WOULD_MOVE = "would_move"
    """Decided, not done: the mode is observe, or the baselines are not yet old enough."""
    PROPOSAL = "proposal"
    """Waits for a person's approval: the mode is suggest, or the budget is used up."""
    ALERT = "alert"
    """Nobody is moved; a person has to act."""
    LIMIT = "limit"
    """Capture takes only so many events a second of the token."""
    LIFT = "lift"
    """The limit ends."""


class Reason(StrEnum):
    """Why, in one word."""

    NOISY_TENANT = "noisy_tenant"
    CALM = "calm"
    WRONG_CULPRIT = "wrong_culprit"
    MANUAL = "manual"
    EXPIRED = "expired"
    APPROVED = "approved"
    CAPACITY = "capacity"
    BROAD_OVERLOAD = "broad_overload"
    HOT_KEY = "hot_key"
    STALL = "stall"
    HUNG = "hung"
    REBALANCE = "rebalance"
    DEPLOY = "deploy"
    CHEAP = "cheap"
    """Its events cost hardly more than forwarding them: limited at capture instead."""
    FAILING = "failing"
    """Its records fail one after the other: over 1 % of a minute's records, and they are all its own."""
    TOO_LARGE = "too_large"
    """It takes over half of overflow's capacity."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another token that was considered, and why it was left."""

    token: str
    work: float
    """work/s on the hot partitions."""
    ratio: float
    score: float
    why_not: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One decision about one token ("" for a whole pipeline). work is handler seconds per second; rho is utilisation, the highest of its partitions."""

    id: str
    pipeline: str
    token: str
    kind: VerdictKind
    reason: Reason
    at_ms: int
    source: Lane = Lane.GENERAL
    target: Lane = Lane.GENERAL
    diagnosis: str = ""
    mode: str = ""
    by: str = "policy"
    note: str = ""
    partitions: tuple[int, ...] = ()
    partitions_total: int = 0
    events_per_s: float = 0.0
    cost_s: float = 0.0
    baseline_cost_s: float = 0.0
    work: float = 0.0
    baseline_work: float = 0.0
    ratio: float = 0.0
    score: float = 0.0
    """-log10 p of its volume against its own baseline."""
    share: float = 0.0
    """Its share of the work that waits and arrives on the hot partitions."""
    need: float = 0.0
    """work/s that had to leave the hot partitions."""
    threshold: float = 0.0
    unit: str = ""
    """What the threshold is compared with."""
    rho_before: float = 0.0
    rho_predicted: float | None = None
    rho_realised: float | None = None
    delay_before_s: float = 0.0
    delay_predicted_s: float | None = None
    delay_realised_s: float | None = None
    lag_blamed_s: float = 0.0
    """Seconds by which everyone behind it would wait less, had it not come (the queue re-run without it)."""
    verified: bool | None = None
    verified_ms: int | None = None
    """When the effect was judged."""
    strikes: int = 0
    alternatives: tuple[Alternative, ...] = ()
    suggestion: str = ""
    expires_ms: int | None = None
    limit_per_s: float | None = None
    """Events/s that capture takes (limits only)."""

    def encode(self) -> tuple[bytes, bytes]:
        """Key and value for the state topic."""
        return f"verdict/{self.pipeline}/{self.id}".encode(), orjson.dumps(self)

    def as_dict(self) -> dict[str, Any]:
        """The fields, and the sentence, for JSON output."""
        return {**orjson.loads(orjson.dumps(self)), "sentence": self.sentence()}

    @staticmethod
    def decode(value: bytes) -> "Verdict":
        """The verdict in a state record's value; unknown fields are ignored. Raises ValueError, KeyError or TypeError when it is not one."""
        raw = orjson.loads(value)
        known = {f.name for f in fields(Verdict)}
        raw = {name: item for name, item in raw.items() if name in known}
        raw["kind"], raw["reason"] = VerdictKind(raw["kind"]), Reason(raw["reason"])
        raw["source"], raw["target"] = Lane(raw["source"]), Lane(raw["target"])
        raw["partitions"] = tuple(raw.get("partitions", ()))
        raw["alternatives"] = tuple(Alternative(**a) for a in raw.get("alternatives", ()))
        return Verdict(**raw)

    def realised(self, rho: float, delay_s: float, *, verified: bool, at_ms: int | None = None) -> "Verdict":
        """The same verdict with the effect that was seen at `at_ms`."""
        return replace(self, rho_realised=rho, delay_realised_s=delay_s, verified=verified, verified_ms=at_ms)

    def sentence(self) -> str:
        """What happened and why, in the operator's units."""
        who = words.short(self.token) if self.token else self.pipeline
        return f"{_WHAT[self.kind](self, who)} {self._why()}".strip()

    def _why(self) -> str:
        if self.kind is VerdictKind.ALERT:
            return self.note
        if self.kind is VerdictKind.LIFT:
            return self._lifted()
        if self.reason in {Reason.CALM, Reason.WRONG_CULPRIT, Reason.EXPIRED, Reason.MANUAL}:
            return self._back()
        if self.reason in {Reason.HUNG, Reason.FAILING}:
            return f"{self.note} {self._evidence()}" if self.work else self.note
        if self.reason is Reason.CAPACITY and self.work:
            return f"{_LARGEST} {self._evidence()}"
        if self.reason is Reason.TOO_LARGE and self.work:
            return f"It brings {words.number(self.work)} s of work a second, over half of what overflow can do."
        return self._evidence() if self.reason in _EVIDENT else self.note

    def _back(self) -> str:
        if self.reason is Reason.CALM:
            strike = f" (strike {self.strikes})" if self.strikes > 1 else ""
            work = f"back to {words.times(self.ratio)} its baseline" if self.ratio >= 1 else "under its baseline"
            return f"Its work is {work}, and rho with it back is {words.number(self.rho_predicted or 0)}{strike}."
        if self.reason is Reason.WRONG_CULPRIT:
            return (
                f"Moving it did not help: rho {words.number(self.rho_before)} -> {words.number(self.rho_realised or 0)}, "
                f"predicted {words.number(self.rho_predicted or 0)}. It is barred from being moved for a while."
            )
        if self.reason is Reason.EXPIRED:
            return "The move's time was up."
        return f"By {self.by}{': ' + self.note if self.note else ''}."

    def _lifted(self) -> str:
        if self.reason is Reason.CALM:
            return f"It sends {words.number(self.events_per_s)} events/s, well under its limit."
        return "The limit's time was up." if self.reason is Reason.EXPIRED else self._back()

    def _evidence(self) -> str:
        cost = (
            f", {words.duration(self.cost_s)} an event"
            if self.baseline_cost_s and self.cost_s >= 3 * self.baseline_cost_s
            else ""
        )
        said = (
            f"Work {words.times(self.ratio)} its baseline{cost}, {words.percent(self.share)} of the load on "
            f"{words.partitions(self.partitions, self.partitions_total)}; {words.duration(self.lag_blamed_s)} of lag are its; rho {words.number(self.rho_before)}"
        )
        if self.rho_realised is not None:
            return f"{said} -> {words.number(self.rho_realised)} (predicted {words.number(self.rho_predicted or 0)})."
        return f"{said}, predicted {words.number(self.rho_predicted or 0)}."

    def limit_text(self) -> str:
        """The limit as an operator reads it."""
        return f"{words.number(self.limit_per_s or 0)} events/s"


_EVIDENT = frozenset({Reason.NOISY_TENANT, Reason.APPROVED, Reason.CHEAP})
_LARGEST = "Nobody stands out: it is among the largest (structural = move); scale out."


def _would(verdict: Verdict, who: str) -> str:
    what = (
        f"be limited to {verdict.limit_text()}" if verdict.limit_per_s is not None else f"be moved to {verdict.target}"
    )
    return f"{who} would {what} (mode {verdict.mode}{', ' + verdict.note if verdict.note else ''})."


def _propose(verdict: Verdict, who: str) -> str:
    what = (
        f"Limit {who} to {verdict.limit_text()} at capture"
        if verdict.limit_per_s is not None
        else f"Move {who} to {verdict.target}"
    )
    return f"{what}? {verdict.note}".rstrip()


_WHAT: Final[dict[VerdictKind, Callable[[Verdict, str], str]]] = {
    VerdictKind.MOVE: lambda v, who: f"{who} moved {v.source} -> {v.target}.",
    VerdictKind.RESTORE: lambda v, who: f"{who} restored {v.source} -> {v.target}.",
    VerdictKind.WOULD_MOVE: _would,
    VerdictKind.PROPOSAL: _propose,
    VerdictKind.ALERT: lambda v, who: f"{who}: {v.reason}.",
    VerdictKind.LIMIT: lambda v, who: f"{who} limited to {v.limit_text()} at capture.",
    VerdictKind.LIFT: lambda _, who: f"{who} no longer limited at capture.",
}
