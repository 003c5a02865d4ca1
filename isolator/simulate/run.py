"""One run: a scenario's world, telemetry that comes late, a contender that decides, orders that act late, and what came of it."""

import heapq
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

import numpy as np
import psutil

from isolator.simulate import measures
from isolator.simulate.contender import Contender, Maker, Orders, Reports
from isolator.simulate.events import LIFT, LIMIT, MOVE, RESTORE, Event, Sample
from isolator.simulate.measures import Measures
from isolator.simulate.meter import START_S, Meter
from isolator.simulate.nature import Nature
from isolator.simulate.oracle import Oracle
from isolator.simulate.plan import Plan, Truth
from isolator.simulate.population import stream
from isolator.simulate.recorder import Recorder
from isolator.simulate.scenarios import SCENARIOS, Scenario
from isolator.simulate.settings import Settings
from isolator.simulate.site import site
from isolator.simulate.sums import summed
from isolator.simulate.world import Arrived, World, cut
from slo.errors import UsageError

LANE_NAMES: Final = ("general", "overflow", "quarantine")
SOON_S: Final = 10.0
"""Seconds before a change of load in which steps are fine, and twice as many after it."""
BUSY: Final = 0.85
"""Share of a slot's capacity from which steps are fine."""
QUIET_S: Final = 180.0
"""Seconds with everything as it was after which a run ends early."""
SAMPLE_S: Final = 5.0

Watching = Callable[[float, float], None]
"""Told the simulated second, and the last one."""


@dataclass(frozen=True, slots=True)
class Wall:
    """What the run took on this machine: the only part of a result that two runs do not share."""

    tick_s: tuple[float, ...]
    """By tick: taking in the telemetry since the last, and deciding."""
    total_s: float
    rss: int
    """Bytes of the process at the end."""


@dataclass(frozen=True, slots=True)
class Result:
    """One run of one contender."""

    scenario: str
    kind: str
    seed: int
    contender: str
    measures: Measures
    events: tuple[Event, ...]
    series: tuple[Sample, ...]
    begin_s: float
    calm_s: float
    end_s: float
    wall: Wall = field(compare=False)


def scenario_named(name: str) -> Scenario:
    """The scenario. Raises UsageError, with the nearest name, for an unknown one."""
    if name in SCENARIOS:
        return SCENARIOS[name]
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    if plain in SCENARIOS:
        return SCENARIOS[plain]
    near = get_close_matches(plain, list(SCENARIOS), 1, 0.4)
    hint = f"did you mean {near[0]}? " if near else ""
    raise UsageError(f"there is no scenario {name!r}: {hint}Known are {', '.join(SCENARIOS)}, and all")


def play(
    scenario: str, seed: int, maker: Maker, settings: Settings | None = None, watch: Watching | None = None
) -> Result:
    """Play `scenario` with `seed`. Everything but `wall` depends on the arguments alone. Raises UsageError for an unknown scenario."""
    found = scenario_named(scenario)
    chosen = settings or Settings()
    return play_plan(found.name, found.kind, found.plan(chosen, seed), seed, maker, chosen, watch=watch)


def play_plan(
    name: str,
    kind: str,
    plan: Plan,
    seed: int,
    maker: Maker,
    settings: Settings,
    nature: Nature | None = None,
    watch: Watching | None = None,
) -> Result:
    """The same for a plan of one's own (a trace), or for a `nature` (of this plan, seed and settings) that several contenders share. `watch` is called after each step."""
    began = time.perf_counter()
    run = Run(plan, seed, maker, settings, nature)
    run.through(watch)
    wall = Wall(tuple(run.tick_s), time.perf_counter() - began, psutil.Process().memory_info().rss)
    return Result(
        name, kind, seed, run.contender.name, run.measures(), tuple(run.events), tuple(run.series),
        plan.begin_s, plan.calm_s, run.world.now_s, wall,
    )  # fmt: skip


class Run:
    """The state of one run; `through` plays it."""

    def __init__(self, plan: Plan, seed: int, maker: Maker, settings: Settings, nature: Nature | None = None) -> None:
        self.plan, self.settings, self.seed = plan, settings, seed
        self.truth = Truth(
            {settings.tokens + n: s.culprit for n, s in enumerate(plan.sources) if s.culprit},
        )
        culprits = np.zeros(settings.tokens + plan.extra, dtype=np.bool_)
        culprits[list(self.truth.spans)] = True
        self.recorder = Recorder(culprits, (plan.begin_s, plan.calm_s), settings.slo_s)
        self.events: list[Event] = []
        self.series: list[Sample] = []
        self.ages: list[tuple[float, list[float]]] = []
        self.tick_s: list[float] = []
        self._witnesses: list[Recorder | Meter] = [self.recorder]
        self.world = World(plan, settings, seed, self._witnesses, nature=nature)
        self.meter = Meter("simulated", self.world, seed)
        self._witnesses.append(self.meter)
        self.site = site(self.world)
        self.contender: Contender = maker(self.site)
        self.world.reroute = not self.contender.moves_backlog
        self._late = stream(seed, 6, 0)
        self._post: list[tuple[float, int, Reports]] = []
        self._orders: list[tuple[float, int, Orders]] = []
        self._posted = 0
        self._next_tick_s = self.contender.tick_s
        self._spent = 0.0
        self._limited: dict[int, float] = {}
        self._away: dict[int, str] = {}
        """Token -> lane, as ordered."""
        self._side_busy_s = np.full((3, settings.partitions), -1.0)
        """When each side partition last held anything."""
        self._drained: dict[tuple[float, int], float] = {}
        self._busiest = 0.0
        self._demand = 0.0
        self._demand_since_s = 0.0
        self._peak = self._share = 0.0
        self._quiet_since_s: float | None = None
        self._end_s = settings.hours * 3600 if settings.hours else plan.end_s
        self._times = [t for t in plan.sudden() if t < 1e8]

    def through(self, watch: Watching | None = None) -> None:
        """To the end, or until all has been as it was for a while."""
        world = self.world
        while world.now_s < self._end_s - 1e-9 and not self._over():
            span = self._span()
            until = world.now_s + span
            # what is decided within a coarse step knows nothing of it, and acts within it
            self._ticks(until, inclusive=False)
            some = world.second(span)
            self._sample_moved(some)
            while self._orders and self._orders[0][0] < until:
                at_s, _, orders = heapq.heappop(self._orders)
                if at_s > world.now_s + 1e-6:
                    first, some = cut(some, at_s)
                    world.advance(first)
                self._act(orders)
            world.advance(some)
            self._look(span)
            self._tell()
            self._ticks(world.now_s, inclusive=True)
            self._sample()
            if watch is not None:
                watch(world.now_s, self._end_s)

    def _ticks(self, until_s: float, *, inclusive: bool) -> None:
        """Everything that is decided before (or at) `until_s`."""
        last_s = until_s + (1e-9 if inclusive else -1e-9)
        while self._next_tick_s <= last_s:
            self._tick(self._next_tick_s)
            self._next_tick_s += self.contender.tick_s

    def measures(self) -> Measures:
        """What came of it; call it once, after `through`."""
        plan, settings = self.plan, self.settings
        waiting = self.recorder.finish(self.world)
        first, limit = settings.tokens, settings.slo_s / 3
        people = self.world.population
        background = summed(
            people.partition % settings.slots, people.row_rate * people.cost[people.token], settings.slots
        )
        oracle = Oracle(plan, settings, background)
        cover = oracle.cover()
        groups = measures.episodes(oracle, cover)
        decide, isolate, undecided = measures.decisions(groups, self.events, first)
        last = {token: self._side_clear(token) for token in self.truth.spans}
        restore, missing, early = measures.restores(self.events, self.truth, self._drained, self.world.now_s, last)
        false, false_tokens, minutes = measures.false_orders(self.events, self.truth, self.world.now_s)
        moved = {e.token for e in self.events if e.away}
        return Measures(
            decide_s=decide,
            isolate_s=isolate,
            protect_s=measures.protections(groups, plan, settings.slots, self.ages, limit),
            undecided=undecided,
            innocents=self.recorder.innocents,
            innocents_late=self.recorder.innocents_late,
            innocents_refused=self.recorder.innocents_refused,
            culprits_refused=self.recorder.refused_events - self.recorder.innocents_refused_ever,
            worst_innocent_age_s=self.recorder.worst_age_s,
            cover=len(cover),
            moved=len(moved),
            excess_moves=max(len(moved) - len(cover), 0),
            false_moves=false,
            false_tokens=false_tokens,
            false_token_minutes=minutes,
            flaps=measures.flaps(self.events),
            moves_per_token_hour=measures.most_in_an_hour(self.events),
            restore_s=restore,
            not_restored=missing,
            early_restores=early,
            peak_share_moved=self._peak,
            arrived=self.recorder.arrived_events,
            handled=self.recorder.handled_events,
            waiting=waiting,
            refused=self.recorder.refused_events,
        )

    def _over(self) -> bool:
        """Long enough after calm with nobody away and nothing waiting?"""
        if self.settings.hours or self.world.now_s < self.plan.calm_s:
            return False
        busy = self._away or self._limited or any(lane.backlog() for lane in self.world.lanes)
        if busy:
            self._quiet_since_s = None
            return False
        if self._quiet_since_s is None:
            self._quiet_since_s = self.world.now_s
        return self.world.now_s - self._quiet_since_s >= QUIET_S

    def _span(self) -> float:
        """Fine near a sudden change of load and while general is busy or late; else coarse.

        A coarse step ends a fine one before a tick, so that every tick hears of all but the last second, however long the steps are.
        """
        now, fine, coarse = self.world.now_s, self.settings.fine_s, self.settings.coarse_s
        left = self._end_s - now
        near = any(t - SOON_S <= now < t + 2 * SOON_S for t in self._times)
        busy = self._busiest > BUSY or not self.world.calm()
        if near or (busy and now < self.plan.calm_s + self.settings.fine_after_s):
            # back to the grid of whole seconds after a cut
            return min(fine - now % fine if now % fine > 1e-9 and fine - now % fine > 1e-6 else fine, left)
        to_grid = coarse - (now + fine) % coarse
        upcoming = min((t - SOON_S for t in self._times if t - SOON_S > now), default=float("inf"))
        if to_grid < coarse - 1e-9 or now + coarse > upcoming:
            return min(fine, left)
        return min(coarse, left)

    def _act(self, orders: Orders) -> None:
        world = self.world
        for token in orders.move:
            world.wanted[token] = 1
        for token in orders.quarantine:
            world.wanted[token] = 2
        for token in orders.restore:
            world.wanted.pop(token, None)
        if orders.limits is not None:
            world.limits = dict(orders.limits)

    def _tell(self) -> None:
        delay = float(self._late.uniform(self.settings.tell_least_s, self.settings.tell_most_s))
        reports = self.meter.reports(self.world.now_s, delay)
        self._posted += 1
        heapq.heappush(self._post, (reports.at_s - START_S, self._posted, reports))

    def _tick(self, now_s: float) -> None:
        began = time.perf_counter()
        while self._post and self._post[0][0] <= now_s:
            self.contender.see(heapq.heappop(self._post)[2])
        orders = self.contender.tick(START_S + now_s)
        self.tick_s.append(time.perf_counter() - began)
        if orders.move or orders.quarantine or orders.restore or orders.limits is not None:
            self._note(orders, now_s)
            act = now_s + float(self._late.uniform(self.settings.act_least_s, self.settings.act_most_s))
            self._posted += 1
            heapq.heappush(self._orders, (act, self._posted, orders))

    def _note(self, orders: Orders, now_s: float) -> None:
        names = self.site.names
        for lane, tokens in ((1, orders.move), (2, orders.quarantine)):
            for token in tokens:
                if token not in self._away:
                    self.events.append(Event(now_s, MOVE, token, names[token], LANE_NAMES[lane]))
                self._away[token] = LANE_NAMES[lane]
        for token in orders.restore:
            if self._away.pop(token, None) is not None:
                self.events.append(Event(now_s, RESTORE, token, names[token]))
                self._drained[now_s, token] = self._side_clear(token)
        if orders.limits is not None:
            self._note_limits(orders.limits, now_s)

    def _note_limits(self, limits: Mapping[int, float], now_s: float) -> None:
        names = self.site.names
        for token, limit in sorted(limits.items()):
            if token not in self._limited and limit < self._rate(token, now_s):
                self._limited[token] = limit
                self.events.append(Event(now_s, LIMIT, token, names[token]))
        for token in [t for t in self._limited if t not in limits]:
            del self._limited[token]
            self.events.append(Event(now_s, LIFT, token, names[token]))

    def _rate(self, token: int, now_s: float) -> float:
        """The token's true rate."""
        number = token - self.settings.tokens
        if number >= len(self.plan.sources):
            assert self.plan.crowd is not None, "only a trace has more tokens"
            return float(self.plan.crowd.learned_rate[number - len(self.plan.sources)])
        if number >= 0:
            return self.plan.sources[number].rate.at(now_s)
        return float(self.world.population.rate[token]) * self.plan.growth.at(now_s)

    def _side_clear(self, token: int) -> float:
        """When a side lane last held anything on the token's partitions."""
        number = token - self.settings.tokens
        if number < 0:
            people = self.world.population
            where = people.partition[people.token == token]
        elif number < len(self.plan.sources):
            where = np.flatnonzero(self.plan.sources[number].share)
        else:
            where = np.arange(self.settings.partitions)
        return float(self._side_busy_s[1:, where].max(initial=-1.0))

    def _look(self, span: float) -> None:
        """How old is what waits, how busy are the slots?"""
        world, settings = self.world, self.settings
        general = world.lanes[0]
        used = summed(np.maximum(general.owner, 0), general.busy, settings.slots)
        self._busiest = float(used.max()) / (span * settings.capacity)
        by_slot = [0.0] * settings.slots
        for p, queue in enumerate(general.queues):
            # a partition that nobody owns counts for the slot that it started on
            by_slot[p % settings.slots] = max(by_slot[p % settings.slots], queue.age(world.now_s))
        self.ages.append((world.now_s, by_slot))
        for code in (1, 2):
            for p, queue in enumerate(world.lanes[code].queues):
                if queue.batches:
                    self._side_busy_s[code, p] = world.now_s

    def _sample_moved(self, some: Arrived) -> None:
        self._demand += float(some.work.sum())
        if not self._away and not self._limited:
            self._share = 0.0
            return
        gone = np.isin(some.token, [*self._away, *self._limited])
        total = float(some.events.sum() + some.refused.sum())
        self._share = float(some.events[gone].sum() + some.refused[gone].sum()) / max(total, 1e-9)
        self._peak = max(self._peak, self._share)

    def _sample(self) -> None:
        now = self.world.now_s
        if now - self._demand_since_s < SAMPLE_S - 1e-9:
            return
        side = max(q.age(now) for code in (1, 2) for q in self.world.lanes[code].queues)
        self.series.append(
            Sample(
                now,
                self._demand / (now - self._demand_since_s) / self.settings.total,
                self._busiest,
                max(self.ages[-1][1]),
                side,
                len(self._away) + len(self._limited),
                self._share,
            )
        )
        self._demand, self._demand_since_s = 0.0, now
