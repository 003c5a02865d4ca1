"""Folds telemetry into observations. No I/O; feed it messages in any order, ask once a tick."""

import math
from collections import deque
from collections.abc import Mapping
from typing import Final

import numpy as np

from ingestion.contracts.names import SIDE_LANES, Lane
from ingestion.contracts.telemetry import OTHER, ArrivalReport, LanePartition, ProbeReport, TokenLoad, WorkerReport
from isolator import slots
from isolator.active import ActiveTokens
from isolator.constants import Policy
from isolator.interner import Floats, Interner, Ints
from isolator.observation import Observation, Partitions, Rows, SideLane, Slots, Tick, Tokens
from isolator.rates import Bins, Decayed, exposure
from isolator.rates import Rows as RowCounts
from isolator.slots import Slot

OLD_S: Final = 30.0
"""Reports older than this when they are read (a controller that was away) tell nothing about now."""
RECENT_S: Final = 10
WINDOW_S: Final = 5


class Observer:
    """One pipeline's running observation. `usual_cost` passed to `observe` comes from the baselines, which share the interner."""

    def __init__(self, pipeline: str, policy: Policy, interner: Interner) -> None:
        self.pipeline = pipeline
        self._policy = policy
        self._interner = interner
        self._seen = Decayed(policy.half_life_s)
        self._bins = Bins()
        self._rows = RowCounts(policy.half_life_s)
        self._handled = Decayed(policy.cost_half_life_s)
        self._work = Decayed(policy.cost_half_life_s)
        self._total = Decayed(policy.half_life_s)
        self._spent = {lane: (Decayed(policy.cost_half_life_s), Decayed(policy.cost_half_life_s)) for lane in Lane}
        self._slots: dict[tuple[Lane, str], Slot] = {}
        self._lanes: dict[tuple[Lane, int], LanePartition] = {}
        self._active = ActiveTokens()
        self._count = 0
        self._began_s: float | None = None
        self._last_s: float | None = None
        self._newest_ms = {"worker": 0, "arrivals": 0, "probe": 0}
        self._tick_events: list[tuple[Ints, Floats]] = []
        self._tick_work: list[tuple[Ints, Floats, Floats]] = []
        self._tick_other = 0.0
        self._past: deque[Tick] = deque(maxlen=2)

    @property
    def names(self) -> list[str]:
        """The interner's tokens, by id."""
        return self._interner.names

    def fold(self, message: WorkerReport | ArrivalReport | ProbeReport, now_ms: int) -> bool:
        """Take one report in, read at `now_ms`; False when it was too old to count. Its time is not believed beyond `now_ms`."""
        if now_ms - message.at_ms > OLD_S * 1000:
            return False
        at_s = min(message.at_ms, now_ms) / 1000
        if isinstance(message, ProbeReport):
            self._newest_ms["probe"] = max(self._newest_ms["probe"], int(at_s * 1000))
            for lane in message.lanes:
                self._lanes[lane.lane, lane.partition] = lane
                self._count = max(self._count, lane.partition + 1)
            return True
        if self._began_s is None:
            self._began_s = at_s - message.interval_s
        if isinstance(message, ArrivalReport):
            self._newest_ms["arrivals"] = max(self._newest_ms["arrivals"], int(at_s * 1000))
            if message.active_sketch:
                self._active.add(message.active_sketch, at_s)
            self._arrived(message.tokens, at_s)
        else:
            self._worked(message, at_s)
        return True

    def _arrived(self, loads: tuple[TokenLoad, ...], at_s: float) -> None:
        if not loads:
            return
        partitions = np.fromiter((t.partition for t in loads), np.int64, len(loads))
        counts = np.fromiter((t.records for t in loads), np.float64, len(loads))
        self._count = max(self._count, int(partitions.max()) + 1)
        self._total.add(partitions, counts, at_s, self._count)
        named = np.fromiter((t.token != OTHER for t in loads), np.bool_, len(loads))
        self._tick_other += float(counts[~named].sum())
        ids = self._interner.ids(t.token for t in loads if t.token != OTHER)
        if not len(ids):
            return
        counts, partitions = counts[named], partitions[named]
        top = np.fromiter((t.top_key_records for t in loads if t.token != OTHER), np.float64, len(ids))
        size = len(self._interner)
        self._seen.add(ids, counts, at_s, size)
        self._bins.add(ids, counts, at_s, size)
        self._rows.arrive(self._rows.find(ids, partitions), counts, top, at_s)
        self._tick_events.append((ids, counts))

    def _worked(self, report: WorkerReport, at_s: float) -> None:
        slot = self._slots.setdefault((report.lane, report.slot), Slot(report.slot))
        slot.fold(report)
        slot.at_ms = int(at_s * 1000)
        for load in report.partitions:
            self._count = max(self._count, load.partition + 1)
        loads = [t for t in report.tokens if t.token != OTHER]
        ids = self._interner.ids(t.token for t in loads)
        size = len(self._interner)
        taken = np.fromiter((t.records for t in loads), np.float64, len(loads))
        handled = np.fromiter((t.records - t.forwarded for t in loads), np.float64, len(loads))
        work = np.fromiter((t.work_s for t in loads), np.float64, len(loads))
        partitions = np.fromiter((t.partition for t in loads), np.int64, len(loads))
        self._handled.add(ids, handled, at_s, size)
        self._work.add(ids, work, at_s, size)
        self._tick_work.append((ids, handled, work))
        spent, events = self._spent[report.lane]
        everyone = np.fromiter((t.partition for t in report.tokens), np.int64, len(report.tokens))
        spent.add(everyone, np.fromiter((t.work_s for t in report.tokens), np.float64), at_s, self._count)
        events.add(
            everyone, np.fromiter((t.records - t.forwarded for t in report.tokens), np.float64), at_s, self._count
        )
        if report.lane is not Lane.GENERAL:
            return
        self._newest_ms["worker"] = max(self._newest_ms["worker"], int(at_s * 1000))
        if at_s * 1000 - self._newest_ms["arrivals"] > self._policy.stale_s * 1000:
            # no scout: what the worker takes is the best that is known of what arrives
            self._arrived(report.tokens, at_s)
        self._rows.wait(self._rows.find(ids, partitions), -taken)

    def observe(self, now_ms: int, usual_cost: Floats, population_cost: float) -> Observation:
        """The observation at `now_ms`. `usual_cost` (known tokens,) is the baseline cost per event, `population_cost` everybody's."""
        now_s, policy, size = now_ms / 1000, self._policy, len(self._interner)
        for sums in (self._seen, self._total, self._handled, self._work):
            sums.advance(now_s)
        for spent, events in self._spent.values():
            spent.advance(now_s)
            events.advance(now_s)
        self._rows.advance(now_s)
        elapsed = now_s - self._began_s if self._began_s is not None else 0.0
        window = exposure(policy.half_life_s, elapsed)
        tick = self._tick(now_s)
        self._past.append(tick)
        general = self._fresh(Lane.GENERAL, now_ms)
        running = self._running(general)
        tokens = self._tokens(now_s, window, usual_cost, population_cost, size, running)
        partitions = self._partitions(now_ms, population_cost)
        rows, named = self._row_view(tokens, partitions, window)
        total = self._total.upto(self._count) / window
        partitions = Partitions(
            np.maximum(total - named, 0.0),
            partitions.lag,
            partitions.oldest_age_s,
            partitions.mean_cost,
            partitions.slot,
            partitions.assigned_s,
        )
        return Observation(
            pipeline=self.pipeline,
            at_ms=now_ms,
            names=self._interner.names,
            ids=self._interner.by_name,
            window_s=window,
            tokens=tokens,
            rows=rows,
            partitions=partitions,
            slots=Slots(
                tuple(s.name for s in general),
                np.array([s.capacity for s in general]),
                np.array([min(1.0, s.used + s.forwarding * policy.forward_s) for s in general]),
            ),
            side={lane: self._side(lane, now_ms, population_cost) for lane in SIDE_LANES},
            in_flight=running,
            tick=tick,
            active_tokens=max(self._active.estimate(), int(np.count_nonzero(tokens.seen > 0.05))),
            worker_age_s=self._age("worker", now_ms),
            arrivals_age_s=self._age("arrivals", now_ms),
            probe_age_s=self._age("probe", now_ms),
            moves_refused=any(s.refused for s in general),
        )

    def _tokens(
        self,
        now_s: float,
        window: float,
        usual: Floats,
        population: float,
        size: int,
        running: Mapping[int, tuple[int, float]],
    ) -> Tokens:
        seen = self._seen.upto(size).copy()
        slow = seen / window
        bins = self._bins.last(RECENT_S, now_s, size)
        rate = slow
        for counts, seconds in (
            (bins[:, : self._policy.sustained_s].min(axis=1).astype(np.float64), 1),
            (bins[:, :WINDOW_S].sum(axis=1, dtype=np.float64), WINDOW_S),
        ):
            certain = (counts - self._policy.rate_sigmas * np.sqrt(counts)) / seconds
            rate = np.maximum(rate, certain)
        handled, work = self._handled.upto(size).copy(), self._work.upto(size)
        prior = np.full(size, population)
        prior[: len(usual)] = usual[:size]
        weight = self._policy.cost_prior_events
        cost = (work + weight * prior) / (handled + weight)
        measured = np.divide(work, handled, out=np.zeros(size), where=handled > 1e-6)
        for token, (_, running_s) in running.items():
            # a record that runs on and on is blamed before it ends
            if token < size and running_s >= self._policy.slo_s * self._policy.blame_in_flight_share:
                cost[token] = max(cost[token], running_s)
                rate[token] = max(rate[token], 1.0 / running_s)
        recent = bins.sum(axis=1, dtype=np.float64) / RECENT_S
        return Tokens(rate, seen, recent, self._recent_cost(prior), handled, cost, measured)

    def _recent_cost(self, prior: Floats) -> Floats:
        handled, work = np.zeros(len(prior)), np.zeros(len(prior))
        for tick in self._past:
            handled[tick.handled_token] += tick.handled
            work[tick.handled_token] += tick.work
        weight = self._policy.cost_prior_events
        return (work + weight * prior) / (handled + weight)

    def _partitions(self, now_ms: int, population: float) -> Partitions:
        count = self._count
        lag, age, assigned = np.zeros(count), np.zeros(count), np.full(count, math.inf)
        owner = np.full(count, -1, dtype=np.int64)
        for number, slot in enumerate(self._fresh(Lane.GENERAL, now_ms)):
            for p, load in slot.partitions.items():
                owner[p] = number
                assigned[p] = load.assigned_s
                lag[p] = max(load.end - load.position, 0)
        if self._age("probe", now_ms) <= self._policy.stale_s:
            for (lane, p), seen in self._lanes.items():
                if lane is Lane.GENERAL:
                    lag[p], age[p] = seen.lag, seen.oldest_age_s
        spent, events = (d.upto(count) for d in self._spent[Lane.GENERAL])
        weight = self._policy.cost_prior_events
        mean = (spent + weight * population) / (events + weight)
        return Partitions(np.zeros(count), lag, age, mean, owner, assigned)

    def _row_view(self, tokens: Tokens, partitions: Partitions, window: float) -> tuple[Rows, Floats]:
        token, partition = self._rows.all()
        size = len(token)
        slow = self._rows.arrivals.upto(size) / window
        named = np.bincount(partition, slow, len(partitions)).astype(np.float64)
        # a token's certain rise is spread over its rows as its arrivals are
        base = np.maximum(tokens.seen[token] / window, 1e-12)
        rate = slow * (tokens.rate[token] / base)
        share = np.divide(
            self._rows.top_key.upto(size),
            self._rows.arrivals.upto(size),
            out=np.zeros(size),
            where=self._rows.arrivals.upto(size) > 1e-9,
        )
        return Rows(token, partition, rate, self._settle(partition, partitions.lag), np.minimum(share, 1.0)), named

    def _settle(self, partition: Ints, lag: Floats) -> Floats:
        """Bounds the rows' backlog by the lag that was measured: errors of counting must not pile up."""
        size = len(partition)
        waiting = self._rows.waiting[:size]
        positive = np.maximum(waiting, 0.0)
        total = np.bincount(partition, positive, len(lag))
        factor = np.divide(lag, total, out=np.ones(len(lag)), where=total > lag)
        bounded = positive * factor[partition]
        # a handled record may be reported before its arrival: forget such debts slowly
        self._rows.waiting[:size] = np.where(waiting < 0, waiting * 0.5, bounded)
        return bounded

    def _side(self, lane: Lane, now_ms: int, population: float) -> SideLane:
        count = self._count
        lag = np.zeros(count)
        owner = np.full(count, -1, dtype=np.int64)
        workers = self._fresh(lane, now_ms)
        for number, slot in enumerate(workers):
            for p in slot.partitions:
                owner[p] = number
        for (name, p), seen in self._lanes.items():
            if name is lane:
                lag[p] = seen.lag
        spent, events = (d.upto(count) for d in self._spent[lane])
        weight = self._policy.cost_prior_events
        backlog = lag * (spent + weight * population) / (events + weight)
        capacity = np.array([s.capacity for s in workers])
        left = slots.share_left(owner.tolist(), capacity, backlog)
        delay = np.where(
            backlog > 0, np.divide(backlog, left, out=np.full(count, math.inf), where=left > 0), np.zeros(count)
        )
        return SideLane(float(capacity.sum()), delay)

    def _tick(self, now_s: float) -> Tick:
        size = len(self._interner)
        elapsed = now_s - self._last_s if self._last_s is not None else now_s - (self._began_s or now_s)
        self._last_s = now_s
        events, handled, work = np.zeros(size), np.zeros(size), np.zeros(size)
        for ids, counts in self._tick_events:
            np.add.at(events, ids, counts)
        for ids, counts, spent in self._tick_work:
            np.add.at(handled, ids, counts)
            np.add.at(work, ids, spent)
        some, worked = np.flatnonzero(events), np.flatnonzero(handled)
        tick = Tick(max(elapsed, 0.0), some, events[some], worked, handled[worked], work[worked], self._tick_other)
        self._tick_events, self._tick_work, self._tick_other = [], [], 0.0
        return tick

    def _running(self, general: list[Slot]) -> Mapping[int, tuple[int, float]]:
        """Each token's longest running record; a worker that reports no more is not known to run anything."""
        found: dict[int, tuple[int, float]] = {}
        for slot in general:
            for load in slot.partitions.values():
                if load.in_flight_token and load.in_flight_token != OTHER:
                    token = self._interner.id(load.in_flight_token)
                    if token not in found or found[token][1] < load.in_flight_s:
                        found[token] = (load.partition, load.in_flight_s)
        return found

    def _fresh(self, lane: Lane, now_ms: int) -> list[Slot]:
        mine = (slot for (name, _), slot in self._slots.items() if name is lane)
        return slots.fresh(mine, now_ms, self._policy.stale_s)

    def _age(self, source: str, now_ms: int) -> float:
        newest = self._newest_ms[source]
        return max(now_ms - newest, 0) / 1000 if newest else math.inf
