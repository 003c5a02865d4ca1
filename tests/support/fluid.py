"""A small fluid model of one pipeline, second by second, that speaks telemetry: the policy's tests run on it.

One general slot and one slot in each side lane with a second of work each; FIFO per partition, equal shares of work over the partitions with a backlog; forwarding is
instantaneous a second after the route. Everything is deterministic given the seed.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from ingestion.contracts.names import SIDE_LANES, Lane
from ingestion.contracts.routes import Mode
from ingestion.contracts.telemetry import (
    OTHER,
    ArrivalReport,
    LanePartition,
    PartitionLoad,
    ProbeReport,
    TokenLoad,
    Trouble,
    WorkerReport,
)
from isolator.baseline import Baseline
from isolator.constants import Policy
from isolator.interner import Interner
from isolator.moves import PolicyState
from isolator.observe import Observer
from isolator.policy import Decision, decide

START = 1_700_000_000


@dataclass
class Source:
    """A token's load: `rate(t)` events/s at second t, `cost(t)` work per event, spread evenly over `partitions`."""

    token: str
    rate: Callable[[int], float]
    cost: Callable[[int], float]
    partitions: tuple[int, ...]
    keys: int = 100


@dataclass
class Batch:
    token: str
    events: float
    cost: float
    at: int


@dataclass
class World:
    """One pipeline. `tick()` advances five seconds and decides."""

    policy: Policy
    sources: list[Source]
    partitions: int = 12
    seed: int = 1
    mode: Mode = Mode.AUTO
    capacity: Callable[[int], float] = lambda _t: 0.95
    reports: Callable[[int], bool] = lambda _t: True
    assigned: Callable[[int], float] = lambda _t: 1e6
    billed_to: Callable[[str], str] = lambda token: token
    """Who a token's work is billed to: a handler may blame the wrong one."""
    hung: Callable[[int], tuple[str, int, float] | None] = lambda _t: None
    """The record that has been running: its token, its partition, for how many seconds."""
    troubles: Callable[[int], tuple[Trouble, ...]] = lambda _t: ()
    side_workers: frozenset[Lane] = frozenset(SIDE_LANES)
    build: Callable[[int], str] = lambda _t: "dev"
    phase: int = 5
    t: int = 0
    decisions: list[tuple[int, Decision]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.interner = Interner()
        self.observer = Observer("p", self.policy, self.interner)
        self.baseline = Baseline(self.policy, self.interner)
        self.state = PolicyState(mode=self.mode, usual=self.baseline.usual())
        self.queues: dict[Lane, list[deque[Batch]]] = {lane: [deque() for _ in range(self.partitions)] for lane in Lane}
        self.worst_age = 0.0

    # the model
    def _arrive(self) -> dict[tuple[str, int], int]:
        arrived: dict[tuple[str, int], int] = {}
        self.tops: dict[tuple[str, int], int] = {}
        for source in self.sources:
            limit = self._limit(source.token)
            each = min(source.rate(self.t), limit) / len(source.partitions)
            for p in source.partitions:
                n = int(self.rng.poisson(each))
                if n:
                    arrived[source.token, p] = arrived.get((source.token, p), 0) + n
                    top = -(-n // source.keys)
                    self.tops[source.token, p] = max(self.tops.get((source.token, p), 0), top)
                    self.queues[Lane.GENERAL][p].append(Batch(source.token, n, source.cost(self.t), self.t))
        return arrived

    def _limit(self, token: str) -> float:
        route = self.state.routes.get(token)
        limit = route.limit_at(self.ms) if route else None
        return float("inf") if limit is None else limit

    def _forward(self) -> dict[tuple[str, int], float]:
        away = {t: r.lane for t, r in self.state.moved().items() if r.since_ms < self.ms}
        forwarded: dict[tuple[str, int], float] = {}
        for p, queue in enumerate(self.queues[Lane.GENERAL]):
            for batch in [b for b in queue if b.token in away]:
                queue.remove(batch)
                self.queues[away[batch.token]][p].append(batch)
                forwarded[batch.token, p] = forwarded.get((batch.token, p), 0.0) + batch.events
        return forwarded

    def _serve(self, lane: Lane, budget: float) -> tuple[dict[tuple[str, int], list[float]], dict[int, float]]:
        done: dict[tuple[str, int], list[float]] = {}
        busy: dict[int, float] = {}
        queues = self.queues[lane]
        while budget > 1e-9 and any(queues):
            active = [p for p, q in enumerate(queues) if q]
            share = budget / len(active)
            for p in active:
                left = share
                while left > 1e-12 and queues[p]:
                    batch = queues[p][0]
                    take = min(batch.events, left / batch.cost)
                    batch.events -= take
                    left -= take * batch.cost
                    row = done.setdefault((batch.token, p), [0.0, 0.0])
                    row[0] += take
                    row[1] += take * batch.cost
                    if batch.events <= 1e-9:
                        queues[p].popleft()
                busy[p] = busy.get(p, 0.0) + share - left
                budget -= share - left
        return done, busy

    @property
    def ms(self) -> int:
        return (START + self.t) * 1000

    def second(self) -> None:
        """One second of the pipeline, and its telemetry."""
        self.t += 1
        arrived, forwarded = self._arrive(), self._forward()
        served, busy = self._serve(Lane.GENERAL, self.capacity(self.t))
        sides = {lane: self._serve(lane, 0.95) for lane in SIDE_LANES}
        for queue in self.queues[Lane.GENERAL]:
            self.worst_age = max([self.worst_age, *(self.t - b.at for b in queue)])
        if not self.reports(self.t):
            return
        self._fold(ArrivalReport("p", self.ms, 1.0, tuple(self._rows(arrived))))
        self._fold(self._worker(Lane.GENERAL, served, busy, forwarded))
        for lane, (side, side_busy) in sides.items():
            if lane in self.side_workers:
                self._fold(self._worker(lane, side, side_busy, {}))
        self._fold(ProbeReport("p", self.ms, tuple(self._lanes())))

    def _fold(self, report: WorkerReport | ArrivalReport | ProbeReport) -> None:
        self.observer.fold(report, self.ms)

    def _rows(self, arrived: dict[tuple[str, int], int]) -> Iterable[TokenLoad]:
        keys = {s.token: s.keys for s in self.sources}
        for p in range(self.partitions):
            mine = sorted(((n, t) for (t, q), n in arrived.items() if q == p), reverse=True)
            for n, token in mine[:64]:
                yield TokenLoad(token, p, n, 100 * n, keys=min(n, keys[token]), top_key_records=self.tops[token, p])
            if rest := sum(n for n, _ in mine[64:]):
                yield TokenLoad(OTHER, p, rest, 100 * rest)

    def _worker(
        self,
        lane: Lane,
        served: dict[tuple[str, int], list[float]],
        busy: dict[int, float],
        forwarded: dict[tuple[str, int], float],
    ) -> WorkerReport:
        hung = self.hung(self.t) if lane is Lane.GENERAL else None
        loads = tuple(
            PartitionLoad(
                p,
                0,
                0,
                0,
                busy.get(p, 0.0),
                0,
                0,
                assigned_s=self.assigned(self.t),
                in_flight_token=hung[0] if hung and hung[1] == p else "",
                in_flight_s=hung[2] if hung and hung[1] == p else 0.0,
            )
            for p in range(self.partitions)
        )
        names = {*served, *forwarded}
        work: dict[tuple[str, int], float] = {}
        for (token, p), (_, seconds) in served.items():
            payer = self.billed_to(token) if lane is Lane.GENERAL else token
            work[payer, p] = work.get((payer, p), 0.0) + seconds
            names.add((payer, p))
        rows = tuple(
            TokenLoad(
                token,
                p,
                served.get((token, p), [0.0])[0] + forwarded.get((token, p), 0.0),
                0,
                work_s=work.get((token, p), 0.0),
                forwarded=forwarded.get((token, p), 0.0),
            )
            for token, p in sorted(names)
        )
        troubles = self.troubles(self.t) if lane is Lane.GENERAL else ()
        # more than a thread's work takes more threads; less than one's is a stall, which nobody reports
        threads = max(math.ceil(self.capacity(self.t)), 1) if lane is Lane.GENERAL else 1
        return WorkerReport(
            "p",
            self.ms,
            1.0,
            lane,
            "0",
            self.build(self.t),
            0.05 * threads,
            loads,
            rows,
            troubles=troubles,
            concurrency=threads,
        )

    def _lanes(self) -> Iterable[LanePartition]:
        for lane, queues in self.queues.items():
            for p, queue in enumerate(queues):
                lag = int(sum(b.events for b in queue))
                age = float(self.t - queue[0].at) if queue else 0.0
                yield LanePartition(lane, p, 0, lag, lag, age, "exact")

    # the controller's part
    def tick(self) -> Decision:
        """Five seconds, then a decision, applied as the controller would."""
        for _ in range(self.phase):
            self.second()
        self.phase = 5
        seen, usual = self.observer.look(self.ms, self.baseline, {**self.state.moved(), **self.state.limited()})
        state = replace(self.state, usual=usual)
        decision = decide(seen, state, self.policy)
        self.baseline.learn(seen, decision.held, calm=decision.calm, odd=decision.odd)
        self.state = decision.state
        self.decisions.append((self.t, decision))
        return decision

    def run(self, seconds: int) -> list[tuple[int, str, str, str]]:
        """Tick for so long; returns (t, kind, token, reason) of the verdicts."""
        until = self.t + seconds
        while self.t < until:
            self.tick()
        return self.verdicts()

    def verdicts(self) -> list[tuple[int, str, str, str]]:
        """Everything that was recorded."""
        return [(t, str(v.kind), v.token, str(v.reason)) for t, d in self.decisions for v in d.verdicts]

    def moved(self) -> list[str]:
        """Tokens in the order in which they were moved."""
        return [token for _, kind, token, _ in self.verdicts() if kind == "move"]

    def diagnoses(self) -> list[str]:
        """One word a tick."""
        return [d.status.diagnosis for _, d in self.decisions]


def background(
    tokens: int,
    rate: float,
    partitions: int,
    factor: Callable[[int], float] = lambda _t: 1.0,
    cost: Callable[[int], float] = lambda _t: 1e-3,
) -> list[Source]:
    """`tokens` tokens that share `rate` events/s in all (Zipf), each on one to three partitions."""
    rng = np.random.default_rng(7)
    weight = 1.0 / (np.arange(tokens) + 20.0)
    weight *= rate / weight.sum()
    return [
        Source(
            f"bg-{i}",
            lambda t, r=float(weight[i]): r * factor(t),
            cost,
            tuple(sorted({int(p) for p in rng.integers(0, partitions, 3)})),
        )
        for i in range(tokens)
    ]
