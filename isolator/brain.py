"""One pipeline's mind without I/O: folds telemetry, ticks, obeys commands, and says which state records to write.

A Batch must be written as a whole. If it could not be, build a new Brain from what the state topic holds (`rebuilt` keeps the measurements).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode
from ingestion.contracts.telemetry import ArrivalReport, ProbeReport, WorkerReport
from isolator import marks, snapshot
from isolator.baseline import NOBODY, Baseline
from isolator.builds import BuildBook
from isolator.constants import Policy
from isolator.hours import BUCKETS, Hours
from isolator.interner import Interner
from isolator.moves import PolicyState, Watch
from isolator.observation import Observation
from isolator.observe import Observer
from isolator.policy import Decision, decide
from isolator.state import StateView
from isolator.status import PipelineStatus
from isolator.sums import Sums
from isolator.verdict import Verdict, VerdictKind

Record = tuple[bytes, bytes | None]

ANSWER_KEEP_MS: Final = 3_600_000
SNAPSHOT_MS: Final = 60_000
MOST_TOKENS: Final = 6_000_000
"""Tokens that are told apart; with more, all but those that a snapshot keeps are forgotten, so that ever new tokens do not fill the memory."""


@dataclass(frozen=True, slots=True)
class Batch:
    """State records to write in one transaction, and the verdicts among them."""

    records: tuple[Record, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    new: tuple[Verdict, ...] = ()
    """Those that are not mere updates."""


def mode_record(pipeline: str, mode: Mode, by: str, reason: str, at_ms: int) -> Record:
    """The state record that sets a pipeline's mode."""
    body: dict[str, Any] = {"mode": str(mode), "by": by, "reason": reason, "at_ms": at_ms}
    return f"mode/{pipeline}".encode(), orjson.dumps(body)


class Brain:
    """Decides for one pipeline. Starts from the folded state topic; `default` is the mode when the topic holds none."""

    def __init__(
        self, view: StateView, policy: Policy, default: Mode, measured: tuple[Observer, Baseline] | None = None
    ) -> None:
        self.pipeline = view.pipeline
        self.policy = policy
        self.observer, self.baseline = measured or _restored(view, policy)
        self.verdicts = dict(view.verdicts)
        self.answers = {answer.id: answer.at_ms for answer in view.answers.values()}
        self.status: PipelineStatus | None = view.status
        self.last: tuple[Observation, Decision] | None = None
        self._chunks = {number for number in view.snapshot if number < snapshot.HOURS}
        self._snapshot_ms = 0
        self._warm = self.baseline.sums.warm
        mode = view.table.mode if view.mode_written else default
        self.state = PolicyState(
            mode,
            self.baseline.usual(NOBODY),
            dict(view.table.routes),
            dict(view.marks),
            {r.token: Watch(view.verdicts.get(r.verdict_id)) for r in view.table.moved()},
            changes=tuple(view.changes.values()),
        )
        self._announce = not view.mode_written

    def rebuilt(self, view: StateView, default: Mode) -> "Brain":
        """A brain on what the topic holds, with this one's measurements, unless another controller has learned since."""
        theirs = snapshot.taken_ms(view.snapshot.values()) > self._snapshot_ms
        again = Brain(view, self.policy, default, None if theirs else (self.observer, self.baseline))
        again._snapshot_ms = self._snapshot_ms
        again.baseline.hours.rewrite()
        return again

    def fold(self, report: WorkerReport | ArrivalReport | ProbeReport, now_ms: int) -> bool:
        """Take telemetry in; False when it was too old."""
        return self.observer.fold(report, now_ms)

    def tick(self, now_ms: int, tick_s: float = 0.0) -> Batch:
        """Decide. `tick_s` is how long the previous decision took, for the status."""
        seen, usual = self.observer.look(now_ms, self.baseline, {**self.state.moved(), **self.state.limited()})
        self.state = replace(self.state, usual=usual)
        decision = decide(seen, self.state, self.policy)
        self.baseline.learn(seen, decision.held, calm=decision.calm, odd=decision.odd)
        self.state = decision.state
        self.last = (seen, decision)
        self.status = replace(decision.status, tick_s=tick_s)
        records: list[Record] = [self.status.encode(), *(r.encode() for r in decision.routes)]
        if self._announce:
            # workers and pages must not guess the mode
            records.append(mode_record(self.pipeline, self.state.mode, "policy", "configured", now_ms))
            self._announce = False
        records += [marks.encode(self.pipeline, token, some) for token, some in decision.marks.items()]
        written = (*decision.verdicts, *decision.updates)
        records += [v.encode() for v in written]
        self.verdicts.update({v.id: v for v in written})
        records += self._forgotten(now_ms)
        just_warm = self.state.usual.warm and not self._warm
        if just_warm or now_ms - self._snapshot_ms >= SNAPSHOT_MS:
            self._warm = self.state.usual.warm
            records += self.snapshot(now_ms)
        if len(self.observer.names) > MOST_TOKENS:
            self._start_over(now_ms)
        return Batch(tuple(records), written, decision.verdicts)

    def _start_over(self, now_ms: int) -> None:
        """Measure anew with the tokens of a snapshot; until the next reports come the input is stale."""
        chunks = snapshot.encode(self.baseline.sums, self.observer.names, now_ms, self.baseline.builds)
        hours = (snapshot.encode_hour(self.baseline.hours.bucket(n), now_ms) for n in range(BUCKETS))
        self.observer, self.baseline = _learned(self.pipeline, self.policy, [*chunks, *hours])
        self.state = replace(self.state, usual=self.baseline.usual(NOBODY))

    def snapshot(self, now_ms: int) -> list[Record]:
        """The baselines as records, with the hours that were learned since; surplus chunks of the last snapshot are tombstoned."""
        self._snapshot_ms = now_ms
        hours = self.baseline.hours
        chunks = snapshot.encode(self.baseline.sums, self.observer.names, now_ms, self.baseline.builds)
        records: list[Record] = [(self._chunk(n), chunk) for n, chunk in enumerate(chunks)]
        records += [(self._chunk(n), None) for n in sorted(self._chunks) if n >= len(chunks)]
        self._chunks = set(range(len(chunks)))
        records += [
            (self._chunk(snapshot.HOURS + n), snapshot.encode_hour(hours.bucket(n), now_ms)) for n in hours.changed()
        ]
        return records

    def _chunk(self, number: int) -> bytes:
        return f"snapshot/{self.pipeline}/{number}".encode()

    def _forgotten(self, now_ms: int) -> list[Record]:
        policy, records = self.policy, list[Record]()
        in_use = {r.verdict_id for r in self.state.moved().values()}
        for name, verdict in list(self.verdicts.items()):
            if now_ms - verdict.at_ms > policy.verdict_keep_s * 1000 and name not in in_use:
                del self.verdicts[name]
                records.append((f"verdict/{self.pipeline}/{name}".encode(), None))
        for name, at_ms in list(self.answers.items()):
            if now_ms - at_ms > ANSWER_KEEP_MS:
                del self.answers[name]
                records.append((f"answer/{self.pipeline}/{name}".encode(), None))
        changes = tuple(c for c in self.state.changes if now_ms - c.at_ms <= policy.verdict_keep_s * 1000)
        records += [(c.encode()[0], None) for c in self.state.changes if c not in changes]
        routes = dict(self.state.routes)
        for token, route in self.state.routes.items():
            if (
                route.limit_per_s is None
                and route.lane is Lane.GENERAL
                and now_ms - route.since_ms > policy.forget_s * 1000
            ):
                del routes[token]
                records.append((f"route/{self.pipeline}/{token}".encode(), None))
        kept: dict[str, tuple[marks.Mark, ...]] = {}
        for token, some in self.state.marks.items():
            left = tuple(m for m in some if m.holds(now_ms))
            if left:
                kept[token] = left
            if left != some:
                records.append(marks.encode(self.pipeline, token, left))
        self.state = replace(self.state, routes=routes, marks=kept, changes=changes)
        return records

    def proposal(self, wanted: str, now_ms: int) -> tuple[Verdict | None, bool]:
        """The newest proposal with this id or token, and whether it can still be answered."""
        found = [v for v in self.verdicts.values() if v.kind is VerdictKind.PROPOSAL and wanted in {v.id, v.token}]
        if not found:
            return None, False
        newest = max(found, key=lambda v: v.at_ms)
        return newest, newest.expires_ms is None or now_ms < newest.expires_ms


def _restored(view: StateView, policy: Policy) -> tuple[Observer, Baseline]:
    chunks: Mapping[int, bytes] = view.snapshot
    return _learned(view.pipeline, policy, [chunks[n] for n in sorted(chunks)])


def _learned(pipeline: str, policy: Policy, chunks: Iterable[bytes]) -> tuple[Observer, Baseline]:
    interner, chunks = Interner(), list(chunks)
    found = snapshot.decode(chunks)
    sums: Sums | None = None
    builds: BuildBook | None = None
    if found is not None:
        names, sums, builds = found
        interner.ids(names)
    hours = Hours(interner)
    hours.restore(snapshot.decode_hours(chunks))
    return Observer(pipeline, policy, interner), Baseline(policy, interner, sums, hours, builds)
