"""The simulated pipeline: arrivals, three lanes, routes that act late. Knows nothing of who plays on it, and nothing of telemetry but what it hands to the meter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Protocol

import numpy as np

from isolator.interner import Floats, Ints
from isolator.simulate.crowd import Crowd
from isolator.simulate.fence import Fence
from isolator.simulate.lane import LaneModel
from isolator.simulate.nature import Nature
from isolator.simulate.plan import Plan, Source
from isolator.simulate.population import stream
from isolator.simulate.queue import Batch, Choice, Portion
from isolator.simulate.settings import Settings
from isolator.simulate.sums import run_sums, summed


@dataclass(frozen=True, slots=True)
class Arrived:
    """Events of one interval, rows (rows,) sorted by partition; a (token, partition) comes at most once."""

    begin_s: float
    end_s: float
    token: Ints
    partition: Ints
    events: Floats
    work: Floats
    top_key: Floats
    refused: Floats
    """events that capture did not take, by row"""


class Witness(Protocol):
    """Told of everything that happens, as it happens."""

    def arrived(self, some: Arrived) -> None:
        """They are in a lane now."""

    def taken(self, lane: int, partition: int, portion: Portion, slowness: float) -> None:
        """A worker of `lane` handled or forwarded them; their work took `slowness` times as long."""

    def at_once(self, some: Arrived, lanes: Ints | None, slowness: float) -> None:
        """A calm interval: everything that arrived was handled (or forwarded, by row) as it came."""


class World:
    """One run's pipeline. Token ids: the background's first, then the plan's sources in order."""

    def __init__(
        self,
        plan: Plan,
        settings: Settings,
        seed: int,
        witnesses: Sequence[Witness],
        *,
        reroute: bool = False,
        nature: Nature | None = None,
    ) -> None:
        self.plan, self.settings, self.seed = plan, settings, seed
        self.nature = nature or Nature(plan, settings, seed)
        self.population = self.nature.population
        self.tokens = settings.tokens + plan.extra
        self.now_s = 0.0
        self.wanted: dict[int, int] = {}
        """token -> side lane code, as the workers (or capture) act on it now"""
        self.limits: Mapping[int, float] = {}
        self.lanes = [
            LaneModel(code, settings.partitions, settings.lane_slots(code), settings.capacity) for code in range(3)
        ]
        self.fence = Fence(self.tokens, settings.partitions, settings.hold_max_s, self.lanes)
        self._witnesses = witnesses
        self.reroute = reroute
        """Capture sends what arrives of a moved token to its lane itself; otherwise general's workers forward it, with its backlog."""
        self._arrivals = self.nature.arrivals
        self._cost = self.population.cost
        self._handed = 0
        self._hangs = sorted(
            (at, seconds, partition, settings.tokens + i)
            for i, source in enumerate(plan.sources)
            for at, seconds, partition in source.hangs
        )
        self._hung = 0

    def id_of(self, source: int) -> int:
        """The token id of the plan's source with that number."""
        return self.settings.tokens + source

    def calm(self) -> bool:
        """Is nothing waiting in general, and everybody where it is wanted?"""
        return not self.lanes[0].backlog() and self.fence.simple(self.wanted)

    def slowness(self, begin_s: float, end_s: float) -> float:
        """Times that an event's work takes."""
        return self.plan.slowness.mean(begin_s, end_s)

    def second(self, span_s: float) -> Arrived:
        """What arrives in the `span_s` from now on, as capture took it. Hand it to `advance`, whole or in parts."""
        begin, end = self.now_s, self.now_s + span_s
        drawn = self._arrivals.draw(begin, span_s)
        token, partition, events, top = [drawn.token], [drawn.partition], [drawn.events], [drawn.top_key]
        work = [drawn.events * self._cost[drawn.token]]
        for i, source in enumerate(self.plan.sources):
            count = self._events(i, source, begin, span_s)
            some = np.flatnonzero(count)
            if not len(some):
                continue
            token.append(np.full(len(some), self.id_of(i)))
            partition.append(some)
            events.append(count[some])
            work.append(count[some] * source.cost.mean(begin, end))
            here = np.maximum(1.0, np.rint(source.keys * source.share[some]))
            top.append(np.minimum(count[some], np.maximum(1.0, count[some] / here)))
        if self.plan.crowd is not None:
            many = self._crowded(self.plan.crowd, begin, end)
            token.append(many[0])
            partition.append(many[1])
            events.append(many[2])
            work.append(many[3])
            top.append(many[4])
        tokens, places = np.concatenate(token), np.concatenate(partition)
        counts, works, tops = np.concatenate(events), np.concatenate(work), np.concatenate(top)
        if len(token) > 1:
            # few runs that are in order: merged
            order = np.argsort(places, kind="stable")
            tokens, places = tokens[order], places[order]
            counts, works, tops = counts[order], works[order], tops[order]
        refused = np.zeros(len(tokens))
        for limited, admitted in self.limits.items():
            mine = np.flatnonzero(tokens == limited)
            total = float(counts[mine].sum())
            if total > admitted * span_s:
                kept = admitted * span_s / total
                refused[mine] = counts[mine] * (1.0 - kept)
                counts[mine] *= kept
                works[mine] *= kept
                tops[mine] *= kept
        return Arrived(begin, end, tokens, places, counts, works, tops, refused)

    def _crowded(self, crowd: Crowd, begin_s: float, end_s: float) -> tuple[Ints, Ints, Floats, Floats, Floats]:
        rng = stream(self.seed, 8, round(begin_s * 1000))
        token, partition, events, work = crowd.draw(begin_s, end_s, rng, noise=self.settings.noise)
        keys, place = np.unique(token * self.settings.partitions + partition, return_inverse=True)
        events, work = summed(place, events, len(keys)), summed(place, work, len(keys))
        token, partition = keys // self.settings.partitions, keys % self.settings.partitions
        here = np.maximum(1.0, crowd.keys[token] / self.settings.partitions)
        first = self.settings.tokens + len(self.plan.sources)
        return first + token, partition, events, work, np.minimum(events, np.maximum(1.0, events / here))

    def _events(self, number: int, source: Source, begin_s: float, span_s: float) -> Floats:
        mean = source.rate.mean(begin_s, begin_s + span_s) * span_s
        if mean <= 0:
            return np.zeros(len(source.share))
        if not self.settings.noise:
            return mean * source.share
        rng = stream(self.seed, 3 + number, round(begin_s * 1000))
        return rng.poisson(mean * source.share).astype(np.float64)

    def advance(self, some: Arrived) -> None:
        """Let `some` arrive and the workers work, until its end."""
        for witness in self._witnesses:
            witness.arrived(some)
        begin, end = some.begin_s, some.end_s
        self._hand_over(begin)
        slowness = self.slowness(begin, end)
        speed = self._speed(begin, end)
        if not self._at_once(some, speed, slowness):
            self._enqueue(some)
            self._hang(begin, end)
            forward_s = self.settings.forward_s / slowness
            choices: list[Choice | None] = (
                [self.fence.choice(p, self.wanted, begin, forward_s) for p in range(self.settings.partitions)]
                if not self.reroute
                else [None] * self.settings.partitions
            )
            self.lanes[0].serve(
                begin, end, speed, choices, lambda p, portion: self._taken(p, portion, slowness), slowness
            )
        alone: list[Choice | None] = [None] * self.settings.partitions
        for code in (1, 2):
            lane = self.lanes[code]
            if lane.backlog():
                each = [1.0] * len(lane.workers)
                tell = partial(self._tell, code, slowness=slowness)
                lane.serve(begin, end, each, alone, tell, slowness)
        self.now_s = end

    def _at_once(self, some: Arrived, speed: Sequence[float], slowness: float) -> bool:
        """The quick way when nothing waits and nothing will: no queues for general."""
        if self.lanes[0].backlog() or self._due(some.end_s) or not self.fence.simple(self.wanted):
            return False
        lanes: Ints | None = None
        cost = some.work * slowness
        if self.wanted:
            lanes = np.zeros(len(some.token), dtype=np.int64)
            for token, lane in self.wanted.items():
                lanes[some.token == token] = lane
            cost = np.where(lanes > 0, 0.0 if self.reroute else some.events * self.settings.forward_s, cost)
        bounds = np.searchsorted(some.partition, np.arange(self.settings.partitions + 1))
        owner, busy = self.lanes[0].owner, run_sums(bounds, cost)
        if (owner[np.diff(bounds) > 0] < 0).any():
            return False
        asked = summed(np.maximum(owner, 0), busy, self.settings.slots)
        span = some.end_s - some.begin_s
        if (asked > self.settings.capacity * span * np.array(speed)).any():
            return False
        self.lanes[0].busy += busy
        for p, count in enumerate(run_sums(bounds, some.events).tolist()):
            self.lanes[0].queues[p].put += count
            self.lanes[0].queues[p].taken += count
        for witness in self._witnesses:
            witness.at_once(
                some, lanes if not self.reroute or lanes is None else np.where(lanes > 0, -lanes, 0), slowness
            )
        if lanes is not None and lanes.any():
            self._pass_on(some, lanes)
        return True

    def _pass_on(self, some: Arrived, lanes: Ints) -> None:
        moved = np.flatnonzero(lanes)
        for p in np.unique(some.partition[moved]).tolist():
            rows = moved[some.partition[moved] == p]
            self._put(p, some.token[rows], some.events[rows], some.work[rows], lanes[rows], (some.begin_s, some.end_s))

    def _put(
        self, partition: int, token: Ints, events: Floats, work: Floats, lanes: Ints, when: tuple[float, float]
    ) -> None:
        for lane in np.unique(lanes).tolist():
            rows = lanes == lane
            self.lanes[lane].queues[partition].append(Batch(*when, token[rows], events[rows], work[rows]))
            if not self.reroute:
                for one in token[rows].tolist():
                    self.fence.forwarded(partition, one, lane)

    def _enqueue(self, some: Arrived) -> None:
        bounds = np.searchsorted(some.partition, np.arange(self.settings.partitions + 1))
        lanes = np.zeros(len(some.token), dtype=np.int64)
        if self.reroute:
            for token, lane in self.wanted.items():
                lanes[some.token == token] = lane
        for p, (first, last) in enumerate(pairwise(bounds.tolist())):
            if first == last:
                continue
            part = slice(first, last)
            tokens, events, work = some.token[part], some.events[part], some.work[part]
            if lanes[part].any():
                away = lanes[part] > 0
                when = (some.begin_s, some.end_s)
                self._put(p, tokens[away], events[away], work[away], lanes[part][away], when)
                tokens, events, work = tokens[~away], events[~away], work[~away]
            if len(tokens):
                self.lanes[0].queues[p].append(Batch(some.begin_s, some.end_s, tokens, events, work))

    def _due(self, until_s: float) -> bool:
        return self._hung < len(self._hangs) and self._hangs[self._hung][0] < until_s

    def _hang(self, begin_s: float, end_s: float) -> None:
        while self._due(end_s):
            at_s, seconds, partition, token = self._hangs[self._hung]
            self._hung += 1
            at_s = max(at_s, begin_s)
            batch = Batch(at_s, at_s, np.array([token]), np.ones(1), np.array([seconds]), alone=True)
            lane = self.wanted.get(token, 0) if self.reroute else 0
            self.lanes[lane].queues[partition].append(batch)
            self._told_of(batch, partition)

    def _told_of(self, batch: Batch, partition: int) -> None:
        one, zero = np.ones(1), np.zeros(1)
        some = Arrived(batch.begin_s, batch.end_s, batch.token, np.array([partition]), one, batch.work, one, zero)
        for witness in self._witnesses:
            witness.arrived(some)

    def _taken(self, partition: int, portion: Portion, slowness: float) -> None:
        self._tell(0, partition, portion, slowness)
        lanes = portion.lanes
        if lanes is None:
            return
        away = lanes > 0
        if not away.any():
            return
        batch, part = portion.batch, portion.part
        if batch.alone:
            moved = replace_alone(batch)
            code = int(lanes[0])
            self.lanes[code].queues[partition].append(moved)
            self.fence.forwarded(partition, int(batch.token[0]), code)
            return
        span = batch.end_s - batch.begin_s
        when = (batch.begin_s + portion.first * span, batch.begin_s + portion.last * span)
        self._put(partition, batch.token[away], batch.events[away] * part, batch.work[away] * part, lanes[away], when)

    def _tell(self, lane: int, partition: int, portion: Portion, slowness: float) -> None:
        for witness in self._witnesses:
            witness.taken(lane, partition, portion, slowness)

    def _speed(self, begin_s: float, end_s: float) -> list[float]:
        speed = [1.0] * self.settings.slots
        for slot, curve in self.plan.speed:
            speed[slot] = curve.mean(begin_s, end_s)
        return speed

    def _hand_over(self, now_s: float) -> None:
        general = self.lanes[0]
        while self._handed < len(self.plan.handovers) and self.plan.handovers[self._handed].at_s <= now_s:
            change = self.plan.handovers[self._handed]
            self._handed += 1
            general.owner[list(change.partitions)] = change.slot
            general.assigned_s[list(change.partitions)] = now_s


def replace_alone(batch: Batch) -> Batch:
    """The same record, untouched, for another queue."""
    return Batch(batch.begin_s, batch.end_s, batch.token, batch.events, batch.work, alone=True)


def cut(some: Arrived, at_s: float) -> tuple[Arrived, Arrived]:
    """What arrived before `at_s` and what after, evenly."""
    share = (at_s - some.begin_s) / (some.end_s - some.begin_s)
    first, rest = (
        replace(some, events=some.events * f, work=some.work * f, top_key=some.top_key * f, refused=some.refused * f)
        for f in (share, 1.0 - share)
    )
    return replace(first, end_s=at_s), replace(rest, begin_s=at_s)
