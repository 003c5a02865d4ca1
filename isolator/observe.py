"""Folds telemetry into observations. No I/O; feed it messages in any order, ask once a tick.

What is kept by token lies in compact arrays over the working set (`alive`): a tick costs what is active, not what is known.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ingestion.contracts.names import SIDE_LANES, Lane
from ingestion.contracts.telemetry import ArrivalReport, LanePartition, ProbeReport, WorkerReport
from isolator import convert, inflight, slots
from isolator.active import ActiveTokens
from isolator.alive import Names, PlaceOf, Places
from isolator.baseline import Baseline, Usual
from isolator.builds import Builds, Learned
from isolator.columns import ArrivalColumns, WorkerColumns
from isolator.constants import Policy
from isolator.interner import Bools, Floats, Interner, Ints, grown
from isolator.observation import BuildCost, Observation, Partitions, Rows, SideLane, Slots, Tick, Tokens
from isolator.rates import CROWDED, Bins, Decayed, exposure
from isolator.rates import Rows as RowCounts
from isolator.slots import Slot
from isolator.unnamed import Unnamed

OLD_S: Final = 30.0
"""Reports older than this when they are read (a controller that was away) tell nothing about now."""
RECENT_S: Final = 10
WINDOW_S: Final = 5
ASLEEP: Final = 0.05
"""A token with smaller decayed counts and no row is no longer alive."""
LEAST_PLACES: Final = 2048
"""Fewer are not worth forgetting."""

Report = WorkerReport | ArrivalReport | ProbeReport | ArrivalColumns | WorkerColumns


class Prior(Learned, Protocol):
    """What is usual, asked for by token id: the baselines, which share the interner."""

    @property
    def population_cost(self) -> float:
        """Everybody's work per event."""

    def general(self, ids: Ints) -> tuple[Floats, Floats]:
        """Usual events/s and work per event of `ids`."""


class Observer:
    """One pipeline's running observation."""

    def __init__(self, pipeline: str, policy: Policy, interner: Interner) -> None:
        self.pipeline = pipeline
        self._policy = policy
        self._interner = interner
        self._places = Places()
        self._seen = Decayed(policy.half_life_s)
        self._bins = Bins()
        self._rows = RowCounts(policy.half_life_s)
        self._handled = Decayed(policy.cost_half_life_s)
        self._work = Decayed(policy.cost_half_life_s)
        self._builds = Builds(policy.cost_half_life_s)
        self._total = Decayed(policy.half_life_s)
        self._spent = {lane: (Decayed(policy.cost_half_life_s), Decayed(policy.cost_half_life_s)) for lane in Lane}
        self._slots: dict[tuple[Lane, str], Slot] = {}
        self._lanes: dict[tuple[Lane, int], LanePartition] = {}
        self._active = ActiveTokens()
        self._count = 0
        self._began_s: float | None = None
        self._last_s: float | None = None
        self._newest_ms = {"worker": 0, "arrivals": 0, "probe": 0}
        self._tick_events: Floats = np.zeros(0)
        self._tick_handled: Floats = np.zeros(0)
        self._tick_work: Floats = np.zeros(0)
        self._tick_other = 0.0
        self._unnamed = Unnamed(policy.cost_half_life_s)
        self._past: deque[Tick] = deque(maxlen=2)

    @property
    def names(self) -> list[str]:
        """The interner's tokens, by id."""
        return self._interner.names

    def fold(self, message: Report, now_ms: int) -> bool:
        """Take one report in, read at `now_ms`; False when it was too old to count. Its time is not believed beyond `now_ms`.

        Columns carry ids of this observer's interner.
        """
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
            message = convert.arrivals(message, self._interner)
        elif isinstance(message, WorkerReport):
            message = convert.worker(message, self._interner)
        if isinstance(message, ArrivalColumns):
            self._arrivals(message, at_s)
        else:
            self._worked(message, at_s)
        return True

    def _arrivals(self, report: ArrivalColumns, at_s: float) -> None:
        self._newest_ms["arrivals"] = max(self._newest_ms["arrivals"], int(at_s * 1000))
        if report.active_sketch:
            self._active.add(report.active_sketch, at_s)
        self._count = max(self._count, len(report.other), int(report.partition.max(initial=-1)) + 1)
        places = self._find(report.token)
        rows = self._rows.find(report.token, report.partition)
        self._arrived(places, rows, report.partition, report.records, report.top_key, at_s, report.interval_s)
        self._total.add(np.arange(len(report.other)), report.other, at_s, self._count, report.interval_s)
        self._tick_other += float(report.other.sum())

    def _arrived(
        self,
        places: Ints,
        rows: Ints,
        partition: Ints,
        counts: Floats,
        top_key: Floats,
        at_s: float,
        interval_s: float,
    ) -> None:
        size = len(self._places)
        self._total.add(partition, counts, at_s, self._count, interval_s)
        self._seen.add(places, counts, at_s, size, interval_s)
        self._bins.add(places, counts, at_s, size, interval_s)
        self._rows.arrive(rows, counts, top_key, at_s, interval_s)
        np.add.at(self._tick_events, places, counts)

    def _worked(self, report: WorkerColumns, at_s: float) -> None:
        slot = self._slots.setdefault((report.lane, report.slot), Slot(report.slot))
        slot.fold(report)
        slot.at_ms = int(at_s * 1000)
        mine, interval_s = report.partitions, report.interval_s
        self._count = max(self._count, int(mine.max(initial=-1)) + 1, int(report.partition.max(initial=-1)) + 1)
        if report.lane is not Lane.GENERAL and not (len(report.token) or report.other_work_s.any()):
            return  # an idle side lane
        places = self._find(report.token)
        size = len(self._places)
        # a broken message may tell of more forwards than records
        handled = np.maximum(report.records - report.forwarded, 0.0)
        self._handled.add(places, handled, at_s, size, interval_s)
        self._work.add(places, report.work_s, at_s, size, interval_s)
        np.add.at(self._tick_handled, places, handled)
        np.add.at(self._tick_work, places, report.work_s)
        amounts = (report.work_s, report.other_work_s), (handled, report.other_records)
        for sums, (named, other) in zip(self._spent[report.lane], amounts, strict=True):
            sums.add(report.partition, named, at_s, self._count, interval_s)
            sums.add(mine, other, at_s, self._count, interval_s)
        if report.lane is not Lane.GENERAL:
            return
        self._newest_ms["worker"] = max(self._newest_ms["worker"], int(at_s * 1000))
        self._unnamed.spend(report, self._count)
        self._builds.add(report.build, places, handled, report.work_s, at_s, size, interval_s)
        rows = self._rows.find(report.token, report.partition)
        heard_s = max(self._newest_ms["arrivals"] / 1000, self._began_s or 0.0)
        if at_s - heard_s > self._policy.stale_s:
            # no scout: what the worker takes is the best that is known of what arrives
            top_key = report.top_key if report.top_key is not None else np.zeros(len(rows))
            self._arrived(places, rows, report.partition, report.records, top_key, at_s, interval_s)
            self._total.add(mine, report.other_records, at_s, self._count, interval_s)
            self._tick_other += float(report.other_records.sum())
        self._rows.wait(rows, -report.records)

    def _find(self, ids: Ints) -> Ints:
        places = self._places.find(ids)
        size = len(self._places)
        self._tick_events = grown(self._tick_events, size)
        self._tick_handled = grown(self._tick_handled, size)
        self._tick_work = grown(self._tick_work, size)
        return places

    def look(self, now_ms: int, baseline: Baseline, keep: Iterable[str] = ()) -> tuple[Observation, Usual]:
        """The observation at `now_ms` and what is usual for its tokens at that hour, both by place. Tokens of `keep` have a place whatever they do."""
        seen = self.observe(now_ms, baseline, keep)
        return seen, baseline.usual(seen.token_ids, now_ms, seen.builds)

    def observe(self, now_ms: int, prior: Prior, keep: Iterable[str] = ()) -> Observation:
        """The observation at `now_ms`. Tokens of `keep` (the moved ones) have a place whatever they do."""
        now_s, policy = now_ms / 1000, self._policy
        for sums in (self._seen, self._total, self._handled, self._work):
            sums.advance(now_s)
        for spent, events in self._spent.values():
            spent.advance(now_s)
            events.advance(now_s)
        self._builds.advance(now_s)
        self._rows.advance(now_s)
        self._slots = slots.remembered(self._slots, now_ms)
        general = self._fresh(Lane.GENERAL, now_ms)
        elapsed = now_s - self._began_s if self._began_s is not None else 0.0
        window = exposure(policy.half_life_s, elapsed)
        by_id = inflight.longest(general, now_ms)
        troubles = inflight.troubles(self._fresh(lane, now_ms) for lane in Lane)
        row_token, row_partition = self._rows.all()
        away, special = self._interner.ids(keep), self._interner.ids(troubles)
        self._forget(row_token, np.concatenate((away, special, np.array(list(by_id), dtype=np.int64))))
        ids = self._places.ids.copy()
        rate, cost = prior.general(ids)
        builds = self._builds.costs(rate, cost, prior, now_s)
        tick = self._tick(now_s, now_ms, builds)
        self._past.append(tick)
        running = dict(zip(self._place(by_id), by_id.values(), strict=True))
        tokens = self._tokens(now_s, window, cost, running)
        partitions = self._partitions(now_ms, prior.population_cost)
        rows = self._row_view(self._places.known(row_token), row_partition, tokens, partitions, window)
        self._unnamed.learn(rows, tokens.cost, partitions, self._places.known(away), now_s)
        partitions.mean_cost[:] = self._unnamed.cost(partitions.mean_cost, policy.cost_prior_events)
        return Observation(
            pipeline=self.pipeline,
            at_ms=now_ms,
            names=Names(self._interner, ids),
            ids=PlaceOf(self._interner, ids),
            window_s=window,
            tokens=tokens,
            rows=rows,
            partitions=partitions,
            slots=Slots(
                tuple(s.name for s in general),
                np.array([s.capacity for s in general]),
                np.array([min(1.0, s.used + s.forwarding * policy.forward_s) for s in general]),
            ),
            side={lane: self._side(lane, now_ms, prior.population_cost) for lane in SIDE_LANES},
            in_flight=running,
            tick=tick,
            token_ids=ids,
            builds=builds,
            troubles=dict(zip(self._place(self._interner.id(t) for t in troubles), troubles.values(), strict=True)),
            active_tokens=max(self._active.estimate(), int(np.count_nonzero(tokens.seen > ASLEEP))),
            worker_age_s=self._age("worker", now_ms),
            arrivals_age_s=self._age("arrivals", now_ms),
            probe_age_s=self._age("probe", now_ms),
            moves_refused=any(s.refused for s in general),
        )

    def _forget(self, row_tokens: Ints, special: Ints) -> None:
        """Give `special` a place, and take theirs from those that sleep, once they are many."""
        self._find(special)
        size = len(self._places)
        alive = self._seen.upto(size) > ASLEEP
        alive |= self._handled.upto(size) > ASLEEP
        if size <= LEAST_PLACES or np.count_nonzero(alive) > CROWDED * size:
            return
        alive |= (self._tick_events[:size] > 0) | (self._tick_handled[:size] > 0)
        alive[self._places.find(special)] = True
        alive[self._places.find(row_tokens)] = True
        if np.count_nonzero(alive) <= CROWDED * size:
            self._keep(alive)

    def _keep(self, alive: Bools) -> None:
        size = len(alive)
        for sums in (self._seen, self._handled, self._work):
            sums.keep(alive)
        self._bins.keep(alive)
        self._builds.keep(alive)
        self._tick_events = self._tick_events[:size][alive]
        self._tick_handled = self._tick_handled[:size][alive]
        self._tick_work = self._tick_work[:size][alive]
        self._places.keep(alive)

    def _place(self, ids: Iterable[int]) -> list[int]:
        return [int(place) for place in self._places.known(np.fromiter(ids, dtype=np.int64))]

    def _tokens(self, now_s: float, window: float, usual: Floats, running: Mapping[int, tuple[int, float]]) -> Tokens:
        size = len(self._places)
        seen = self._seen.upto(size).copy()
        bins = self._bins.last(RECENT_S, now_s, size)
        rate = seen / window
        sustained = reduce(np.minimum, bins[: self._policy.sustained_s])
        for counts, over_s in ((sustained, 1), (_sum(bins[:WINDOW_S]), WINDOW_S)):
            certain = (counts - self._policy.rate_sigmas * np.sqrt(counts)) / over_s
            np.maximum(rate, certain, out=rate)
        handled, work = self._handled.upto(size).copy(), self._work.upto(size)
        weight = self._policy.cost_prior_events
        # ten seconds of dear events are believed at once: with the half-life alone a slow tenant hides behind its cheap past
        slow = (work + weight * usual) / (handled + weight)
        just_handled, just_spent = self._recently(size)
        cost = np.maximum(slow, (just_spent + weight * slow) / (just_handled + weight))
        measured = np.divide(work, handled, out=np.zeros(size), where=handled > 1e-6)
        for place, (_, running_s) in running.items():
            # a record that runs on and on is blamed before it ends
            if running_s >= self._policy.slo_s * self._policy.blame_in_flight_share:
                cost[place] = max(cost[place], running_s)
                rate[place] = max(rate[place], 1.0 / running_s)
        recent = _sum(bins).astype(np.float64) / RECENT_S
        recent_cost = (just_spent + weight * usual) / (just_handled + weight)
        return Tokens(rate, seen, recent, recent_cost, handled, cost, measured)

    def _recently(self, size: int) -> tuple[Floats, Floats]:
        """Events and work handled in the last two ticks, by place."""
        handled, work = np.zeros(size), np.zeros(size)
        for tick in self._past:
            at = self._places.known(tick.handled_token)
            mine = at >= 0
            handled[at[mine]] += tick.handled[mine]
            work[at[mine]] += tick.work[mine]
        return handled, work

    def _partitions(self, now_ms: int, population: float) -> Partitions:
        count = self._count
        lag, age, assigned = np.zeros(count), np.zeros(count), np.full(count, math.inf)
        owner = np.full(count, -1, dtype=np.int64)
        for number, slot in enumerate(self._fresh(Lane.GENERAL, now_ms)):
            if slot.last is not None:
                mine = slot.last.partitions
                owner[mine], assigned[mine] = number, slot.last.assigned_s
                lag[mine] = np.maximum(slot.last.end - slot.last.position, 0.0)
        if self._age("probe", now_ms) <= self._policy.stale_s:
            for (lane, p), seen in self._lanes.items():
                if lane is Lane.GENERAL:
                    lag[p], age[p] = seen.lag, seen.oldest_age_s
        spent, events = (d.upto(count) for d in self._spent[Lane.GENERAL])
        weight = self._policy.cost_prior_events
        mean = (spent + weight * population) / (events + weight)
        return Partitions(np.zeros(count), np.zeros(count), np.zeros(count), lag, age, mean, owner, assigned)

    def _row_view(self, token: Ints, partition: Ints, tokens: Tokens, partitions: Partitions, window: float) -> Rows:
        """The rows; fills what `partitions` tells of them."""
        size, count = len(token), len(partitions)
        arrivals = self._rows.arrivals.upto(size).copy()
        # a token's certain rise is spread over its rows as its arrivals are
        rate = arrivals * (tokens.rate / np.maximum(tokens.seen, 1e-12 * window))[token]
        waiting = self._rows.settle(partitions.lag)
        named = np.bincount(partition, arrivals, count)
        partitions.other_rate[:] = np.maximum(self._total.upto(count) - named, 0.0) / window
        partitions.rows_rate[:] = np.bincount(partition, rate, count)
        partitions.rows_waiting[:] = np.bincount(partition, waiting, count) if waiting.any() else 0.0
        return Rows(token, partition.copy(), rate, waiting, arrivals, self._rows.top_key.upto(size).copy())

    def _side(self, lane: Lane, now_ms: int, population: float) -> SideLane:
        count = self._count
        lag, owner = np.zeros(count), np.full(count, -1, dtype=np.int64)
        workers = self._fresh(lane, now_ms)
        for number, slot in enumerate(workers):
            if slot.last is not None:
                owner[slot.last.partitions] = number
        for (name, p), seen in self._lanes.items():
            if name is lane:
                lag[p] = seen.lag
        capacity = np.array([s.capacity for s in workers])
        if not lag.any():
            return SideLane(float(capacity.sum()), lag)
        spent, events = (d.upto(count) for d in self._spent[lane])
        weight = self._policy.cost_prior_events
        backlog = lag * (spent + weight * population) / (events + weight)
        left = slots.share_left(owner, capacity, backlog)
        delay = np.where(
            backlog > 0, np.divide(backlog, left, out=np.full(count, math.inf), where=left > 0), np.zeros(count)
        )
        return SideLane(float(capacity.sum()), delay)

    def _tick(self, now_s: float, now_ms: int, builds: tuple[BuildCost, ...]) -> Tick:
        size = len(self._places)
        elapsed = now_s - self._last_s if self._last_s is not None else now_s - (self._began_s or now_s)
        self._last_s = now_s
        ids = self._places.ids
        events, handled, work = (sums[:size] for sums in (self._tick_events, self._tick_handled, self._tick_work))
        some, worked = np.flatnonzero(events), np.flatnonzero(handled)
        tick = Tick(
            max(elapsed, 0.0),
            ids[some],
            events[some],
            ids[worked],
            handled[worked],
            work[worked],
            self._tick_other,
            now_ms,
            builds,
        )
        for sums in (events, handled, work):
            sums[:] = 0.0
        self._tick_other = 0.0
        return tick

    def _fresh(self, lane: Lane, now_ms: int) -> list[Slot]:
        mine = (slot for (name, _), slot in self._slots.items() if name is lane)
        return slots.fresh(mine, now_ms, self._policy.stale_s)

    def _age(self, source: str, now_ms: int) -> float:
        newest = self._newest_ms[source]
        return max(now_ms - newest, 0) / 1000 if newest else math.inf


def _sum(bins: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    total = bins[0].copy()
    for one in bins[1:]:
        total += one
    return total
