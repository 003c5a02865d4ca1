"""The scenarios: what happens, who is to blame, and what a seed varies. Sizes are relative to the pipeline, so that they mean the same at any size.

Every one starts at a moderate utilisation (0.5 to 0.7) and goes out of the ordinary at a random moment after 60 s. A flood brings its busiest consumer to 1.5 to 4
times its capacity. The culprits had a small baseline of their own (up to 1 % of one consumer) unless told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import numpy as np

from isolator.interner import Floats
from isolator.simulate.curve import Curve
from isolator.simulate.plan import Gap, Handover, Plan, Source, hashed, spread
from isolator.simulate.settings import Settings
from isolator.simulate.sums import summed

Rng = np.random.Generator
TAIL_S: Final = 3600.0
"""Seconds after calm in which lanes drain and restores are waited for; a run ends earlier when everything is as it was."""
FAR_S: Final = 1e9


@dataclass(frozen=True, slots=True)
class Scenario:
    """`draw` gives one run's plan; the same generator state gives the same plan."""

    name: str
    kind: str
    """`culprit`: somebody is to blame; `decoy`: nobody may be moved; `limit`: what no isolation can prevent, reported apart."""
    what: str
    draw: Callable[["Stage"], Plan]

    def plan(self, settings: Settings, seed: int) -> Plan:
        """The run of this seed."""
        rng = np.random.default_rng([seed, crc32(self.name.encode())])
        return self.draw(Stage(settings, rng, rng.uniform(0.5, 0.7), rng.uniform(60.0, 90.0)))


@dataclass(slots=True)
class Stage:
    """What the scenarios draw from: the pipeline, the seed's generator, the utilisation before, and when it begins."""

    settings: Settings
    rng: Rng
    utilisation: float
    begin_s: float

    @property
    def cost(self) -> float:
        """Mean work of a background event."""
        return self.utilisation * self.settings.total / self.settings.rate

    def between(self, low: float, high: float) -> float:
        """Uniform."""
        return float(self.rng.uniform(low, high))

    def some(self, low: int, high: int) -> tuple[int, ...]:
        """`low` to `high` different partitions."""
        count = min(int(self.rng.integers(low, high + 1)), self.settings.partitions)
        return tuple(sorted(self.rng.choice(self.settings.partitions, count, replace=False).tolist()))

    def needed(self, share: Floats, factor: float, background: float | None = None) -> float:
        """Work/s spread as `share` with which the busiest consumer is at `factor` times its capacity."""
        used = self.utilisation if background is None else background
        by_slot = summed(np.arange(len(share)) % self.settings.slots, share, self.settings.slots)
        return max(factor - used, 0.05) * self.settings.capacity / float(by_slot.max())

    def flood(
        self,
        name: str,
        share: Floats,
        factor: float,
        *spans: tuple[float, float],
        keys: int = 200,
        fresh: bool = False,
        background: float | None = None,
    ) -> Source:
        """A token that brings its busiest consumer to `factor` times capacity during the spans."""
        cost = self.cost * float(self.rng.lognormal(0.0, 0.3))
        work = self.needed(share, factor, background)
        base = 0.0 if fresh else self.between(0.001, 0.01) * self.settings.capacity / cost
        rate = Curve.step(base, *((begin, end, work / cost + base) for begin, end in spans))
        return Source(name, rate, Curve.flat(cost), share, keys, base, 0.0 if fresh else cost, tuple(spans))

    def plan(self, calm_s: float, *sources: Source, tail_s: float = TAIL_S, begin_s: float | None = None) -> Plan:
        """The usual plan."""
        begin = self.begin_s if begin_s is None else begin_s
        return Plan(begin, calm_s, calm_s + tail_s, sources, utilisation=self.utilisation)


def one_flood(stage: Stage) -> Plan:
    """One token floods one to four partitions for two to five minutes."""
    end = stage.begin_s + stage.between(120, 300)
    share = spread(stage.settings.partitions, stage.some(1, 4))
    return stage.plan(end, stage.flood("flood", share, stage.between(1.5, 4.0), (stage.begin_s, end)))


def eight_floods(stage: Stage) -> Plan:
    """Two tokens on each of four partitions, all within three seconds, for two to four minutes."""
    end = stage.begin_s + stage.between(120, 240)
    where = stage.rng.choice(stage.settings.partitions, min(4, stage.settings.partitions), replace=False).tolist()
    factor = stage.between(1.5, 3.0)
    # floods that share a consumer share what overloads it
    crowd = np.bincount(np.array(where) % stage.settings.slots, minlength=stage.settings.slots)
    sources = []
    for number in range(8):
        p = where[number // 2 % len(where)]
        each = stage.utilisation + (factor - stage.utilisation) / (2 * int(crowd[p % stage.settings.slots]))
        begin = stage.begin_s + stage.between(0, 3)
        each *= stage.between(0.9, 1.1)
        sources.append(
            stage.flood(f"flood-{number}", spread(stage.settings.partitions, (p,)), each, (begin, end), keys=30)
        )
    return stage.plan(end, *sources)


def slow_tenant(stage: Stage) -> Plan:
    """A tenant of few events, each of which suddenly costs sixty times as much."""
    end = stage.begin_s + stage.between(180, 360)
    share = spread(stage.settings.partitions, stage.some(1, 4))
    cost = stage.cost * float(stage.rng.lognormal(0.0, 0.2))
    rate = stage.needed(share, stage.between(1.5, 3.0)) / (60 * cost)
    source = Source(
        "slow",
        Curve.flat(rate),
        Curve.step(cost, (stage.begin_s, end, 60 * cost)),
        share,
        50,
        rate,
        cost,
        ((stage.begin_s, end),),
    )
    return stage.plan(end, source)


def on_off(stage: Stage) -> Plan:
    """A flood of 60 s every 240 s, seven times."""
    spans = tuple((stage.begin_s + 240 * i, stage.begin_s + 240 * i + 60) for i in range(7))
    share = spread(stage.settings.partitions, stage.some(1, 4))
    return stage.plan(spans[-1][1], stage.flood("on-off", share, stage.between(1.8, 3.5), *spans))


def ramp(stage: Stage) -> Plan:
    """A tenant that grows over twenty minutes to two or three times what its consumer can do."""
    top = stage.begin_s + 1200.0
    end = top + stage.between(60, 180)
    share = spread(stage.settings.partitions, stage.some(1, 4))
    cost = stage.cost
    base = stage.between(0.002, 0.01) * stage.settings.capacity / cost
    most = stage.needed(share, stage.between(1.8, 3.0)) / cost + base
    rate = Curve.ramp(base, stage.begin_s, top, most, end)
    return stage.plan(end, Source("ramp", rate, Curve.flat(cost), share, 200, base, cost, ((stage.begin_s, end),)))


def mixed(stage: Stage) -> Plan:
    """A flood, a slow tenant and a second flood, one after the other within two minutes, overlapping."""
    begin = stage.begin_s
    second, third = begin + stage.between(20, 50), begin + stage.between(70, 120)
    end = third + stage.between(120, 200)
    count = stage.settings.partitions
    slow = slow_tenant(Stage(stage.settings, stage.rng, stage.utilisation, second)).sources[0]
    slow = Source(
        "slow", slow.rate, Curve.step(slow.learned_cost, (second, end - 20, 60 * slow.learned_cost)), slow.share, slow.keys,
        slow.learned_rate, slow.learned_cost, ((second, end - 20),),
    )  # fmt: skip
    first = stage.flood("flood-a", spread(count, stage.some(1, 4)), stage.between(1.5, 3.0), (begin, end - 40))
    last = stage.flood("flood-b", spread(count, stage.some(1, 4)), stage.between(1.5, 3.0), (third, end))
    return stage.plan(end, first, slow, last)


def new_token(stage: Stage) -> Plan:
    """A token that was never seen comes at its full rate."""
    end = stage.begin_s + stage.between(120, 300)
    share = spread(stage.settings.partitions, stage.some(1, 6))
    source = stage.flood("brand-new", share, stage.between(1.5, 4.0), (stage.begin_s, end), fresh=True)
    return stage.plan(end, source)


def everywhere(stage: Stage) -> Plan:
    """A token with thousands of keys overloads all partitions."""
    end = stage.begin_s + stage.between(120, 300)
    share = hashed(stage.settings.partitions, 5000, stage.rng)
    return stage.plan(end, stage.flood("wide", share, stage.between(1.5, 3.0), (stage.begin_s, end), keys=5000))


def sequence(stage: Stage) -> Plan:
    """Two culprits on the same partitions: the second begins when the first has been gone for a minute."""
    share = spread(stage.settings.partitions, stage.some(1, 4))
    first = (stage.begin_s, stage.begin_s + stage.between(90, 150))
    begin = first[1] + stage.between(45, 90)
    second = (begin, begin + stage.between(90, 150))
    a = stage.flood("first", share, stage.between(1.5, 3.5), first)
    b = stage.flood("second", share, stage.between(1.5, 3.5), second)
    return stage.plan(second[1], a, b)


def hung_record(stage: Stage) -> Plan:
    """A tenant whose records now and then occupy their worker until the handler's own time-out (14 to 22 s) cuts them off."""
    begin, count = stage.begin_s, int(stage.rng.integers(3, 6))
    partition = stage.some(1, 1)[0]
    hangs = []
    at = begin
    for _ in range(count):
        hangs.append((at, stage.between(14, 22), partition))
        at += stage.between(25, 50)
    share = spread(stage.settings.partitions, (partition,))
    rate = 0.02 * stage.settings.capacity / stage.cost
    cost = Curve.flat(stage.cost)
    source = Source(
        "hanging", Curve.flat(rate), cost, share, 20, rate, stage.cost, ((begin, at),), tuple(hangs)
    )  # fmt: skip
    return stage.plan(at, source)


def hung_for_ever(stage: Stage) -> Plan:
    """One record never ends: its worker is lost until the watchdog lets go of it after 60 s. No route can free a thread."""
    partition = stage.some(1, 1)[0]
    share = spread(stage.settings.partitions, (partition,))
    rate = 0.02 * stage.settings.capacity / stage.cost
    hang = ((stage.begin_s, FAR_S, partition),)
    end = stage.begin_s + 130.0
    source = Source(
        "hung", Curve.flat(rate), Curve.flat(stage.cost), share, 20, rate, stage.cost, ((stage.begin_s, end),), hang
    )
    return stage.plan(end, source)


def surge(stage: Stage) -> Plan:
    """Everybody sends 1.9 times as much for three to six minutes."""
    end = stage.begin_s + stage.between(180, 360)
    growth = Curve.ramp(1.0, stage.begin_s, stage.begin_s + stage.between(5, 60), 1.9, end)
    return Plan(stage.begin_s, end, end + 600, growth=growth, utilisation=stage.utilisation)


def stall(stage: Stage) -> Plan:
    """One consumer (a slow disk, a lock) does 0 to 30 % of its work for one to two minutes, waiting most of the time."""
    slot = int(stage.rng.integers(stage.settings.slots))
    end = stage.begin_s + stage.between(60, 120)
    speed = Curve.step(1.0, (stage.begin_s, end, stage.between(0.0, 0.3)))
    return Plan(stage.begin_s, end, end + 600, speed=((slot, speed),), utilisation=stage.utilisation)


def rebalance(stage: Stage) -> Plan:
    """A worker dies: nobody owns its partitions for 10 to 20 s, then the others share them; after three minutes it is back."""
    slots, partitions = stage.settings.slots, stage.settings.partitions
    dead = int(stage.rng.integers(slots))
    mine = tuple(p for p in range(partitions) if p % slots == dead)
    begin, taken = stage.begin_s, stage.begin_s + stage.between(10, 20)
    back = taken + 180.0
    others = [s for s in range(slots) if s != dead] or [dead]
    handovers = [Handover(begin, mine, -1)]
    handovers += [Handover(taken, (p,), others[i % len(others)]) for i, p in enumerate(mine)]
    handovers += [Handover(back, mine, -1), Handover(back + 3.0, mine, dead)]
    # with a consumer less the rest must still be able to do it
    utilisation = min(stage.utilisation, 0.9 * (slots - 1) / slots) if slots > 1 else stage.utilisation
    return Plan(begin, back + 30, back + 600, handovers=tuple(handovers), utilisation=utilisation)


def whale(stage: Stage) -> Plan:
    """The largest tenant, 8 to 15 % of all, sends 30 % more for ten minutes."""
    share = hashed(stage.settings.partitions, 2000, stage.rng)
    base = stage.between(0.08, 0.15) * stage.settings.rate
    end = stage.begin_s + 600.0
    rate = Curve.ramp(base, stage.begin_s, stage.begin_s + stage.between(1, 60), 1.3 * base, end)
    source = Source("whale", rate, Curve.flat(stage.cost), share, 2000, base, stage.cost)
    return Plan(stage.begin_s, end, end + 300, (source,), utilisation=stage.utilisation - 0.05)


def backfill(stage: Stage) -> Plan:
    """A tenant loads a day of old events, with their old timestamps, at a rate that fits."""
    share = hashed(stage.settings.partitions, 1000, stage.rng)
    end = stage.begin_s + stage.between(240, 480)
    rate = stage.between(0.1, 0.2) * stage.settings.total / stage.cost
    base = 0.005 * stage.settings.rate
    load = Curve.step(base, (stage.begin_s, end, rate))
    aged = stage.between(3600, 86_400)
    source = Source("backfill", load, Curve.flat(stage.cost), share, 1000, base, stage.cost, aged_s=aged)
    return Plan(stage.begin_s, end, end + 300, (source,), utilisation=min(stage.utilisation, 0.65))


def seasonal(stage: Stage) -> Plan:
    """The daily peak: everybody's load rises to 1.4 to 1.6 times over fifteen minutes, stays, and falls."""
    top = stage.begin_s + 900.0
    growth = Curve(
        ((0.0, 1.0), (stage.begin_s, 1.0), (top, peak := stage.between(1.4, 1.6)), (top + 600, peak), (top + 1500, 1.0))
    )
    return Plan(stage.begin_s, top + 1500, top + 1700, growth=growth, utilisation=stage.utilisation)


def gap(stage: Stage) -> Plan:
    """Telemetry of one or all kinds is missing for 20 to 90 s, while everybody sends up to a third more."""
    kinds = ("arrivals", "workers", "probe")
    lost = kinds if stage.rng.random() < 0.5 else (str(stage.rng.choice(kinds)),)
    end = stage.begin_s + stage.between(20, 90)
    growth = Curve.step(1.0, (stage.begin_s, end + 60, stage.between(1.0, 1.33)))
    gaps = tuple(Gap(kind, stage.begin_s, end) for kind in lost)
    return Plan(stage.begin_s, end + 60, end + 360, growth=growth, gaps=gaps, utilisation=stage.utilisation)


def skew(stage: Stage) -> Plan:
    """One worker's clock is up to 25 s off, either way, and captures stamp records up to a minute too early."""
    slot = int(stage.rng.integers(stage.settings.slots))
    off = float(stage.rng.choice((-1.0, 1.0))) * stage.between(3, 25)
    begin = stage.begin_s
    growth = Curve.step(1.0, (begin, begin + 300, stage.between(1.0, 1.3)))
    return Plan(
        begin, begin + 300, begin + 500, growth=growth, skew_s=((slot, off),), aged_s=stage.between(5, 60),
        utilisation=stage.utilisation,
    )  # fmt: skip


def deploy(stage: Stage) -> Plan:
    """A new build takes 1.6 to 2.4 times as long for every event, until it is rolled back after three to six minutes."""
    begin, end = stage.begin_s, stage.begin_s + stage.between(180, 360)
    slower = Curve.step(1.0, (begin, end, stage.between(1.6, 2.4)))
    builds = ((begin, "build-2"), (end, "build-1"))
    return Plan(begin, end, end + 900, slowness=slower, builds=builds, utilisation=stage.utilisation)


def calm(stage: Stage) -> Plan:
    """Nothing but a day's rhythm (a third up and down): for the length and speed of a run."""
    day = 86_400.0
    growth = Curve(tuple((day * i / 96, 1.0 + 0.33 * float(np.sin(2 * np.pi * i / 96))) for i in range(97)))
    return Plan(0.0, day, day, growth=growth, utilisation=min(stage.utilisation, 0.6))


_ALL: Final = (
    ("one_flood", "culprit", one_flood),
    ("eight_floods", "culprit", eight_floods),
    ("slow_tenant", "culprit", slow_tenant),
    ("on_off", "culprit", on_off),
    ("ramp", "culprit", ramp),
    ("mixed", "culprit", mixed),
    ("new_token", "culprit", new_token),
    ("everywhere", "culprit", everywhere),
    ("sequence", "culprit", sequence),
    ("hung_record", "culprit", hung_record),
    ("surge", "decoy", surge),
    ("stall", "decoy", stall),
    ("rebalance", "decoy", rebalance),
    ("whale", "decoy", whale),
    ("backfill", "decoy", backfill),
    ("seasonal", "decoy", seasonal),
    ("gap", "decoy", gap),
    ("skew", "decoy", skew),
    ("deploy", "decoy", deploy),
    ("hung_for_ever", "limit", hung_for_ever),
    ("calm", "limit", calm),
)
SCENARIOS: Final[Mapping[str, Scenario]] = {
    name: Scenario(name, kind, (draw.__doc__ or "").strip(), draw) for name, kind, draw in _ALL
}
ALL: Final = tuple(name for name in SCENARIOS if name != "calm")
"""What `all` stands for: everything but the day-long calm run."""
