"""What the unnamed cost: the measured work less that of the named."""

import numpy as np
import pytest

from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import (
    OTHER,
    ArrivalReport,
    LanePartition,
    PartitionLoad,
    ProbeReport,
    TokenLoad,
    WorkerReport,
)
from isolator.constants import Policy
from isolator.interner import Floats, Interner, Ints
from isolator.load import load
from isolator.observation import Observation
from isolator.observe import Observer

POLICY = Policy(warm_s=15.0)
START = 1_700_000_000
DEAR, CHEAP = 10e-3, 1e-3
NAMED, REST = 100, 400
"""events/s"""


class Flat:
    """The same is usual for everybody."""

    population_cost = 1e-3

    def general(self, ids: Ints) -> tuple[Floats, Floats]:
        return np.full(len(ids), float(NAMED)), np.full(len(ids), DEAR)

    def build(self, _: str) -> tuple[float, float]:
        return 1.0, 0.0


class Lane0:
    """One partition with a dear tenant, whom the scout names, and many cheap ones, whom it does not."""

    def __init__(self) -> None:
        self.observer = Observer("p", POLICY, Interner())
        self.t = START

    def seconds(
        self,
        count: int,
        *,
        rest_cost: float = CHEAP,
        rest: int = REST,
        named_cost: float = DEAR,
        lag: int = 0,
        away: bool = False,
        workers: bool = True,
    ) -> None:
        """`count` seconds like each other, with a tick every five."""
        for _ in range(count):
            self.t += 1
            now = self.t * 1000
            rows = (TokenLoad("dear", 0, NAMED, 100), TokenLoad(OTHER, 0, rest, 100))
            spent = 0.0 if away else NAMED * named_cost
            done = (
                TokenLoad("dear", 0, NAMED, 100, forwarded=NAMED if away else 0, work_s=spent),
                TokenLoad(OTHER, 0, rest, 100, work_s=rest * rest_cost),
            )
            part = PartitionLoad(0, 0, lag, 0, spent + rest * rest_cost, NAMED + rest, 0, assigned_s=1e6)
            self.observer.fold(ArrivalReport("p", now, 1.0, rows), now)
            if workers:
                report = WorkerReport("p", now, 1.0, Lane.GENERAL, "0", "b", 0.1, (part,), done, concurrency=4)
                self.observer.fold(report, now)
            self.observer.fold(ProbeReport("p", now, (LanePartition(Lane.GENERAL, 0, 0, lag, lag, 0.0, "exact"),)), now)
            if self.t % 5 == 0:
                self.seen = self.observer.observe(now, Flat(), ("dear",) if away else ())

    seen: Observation

    @property
    def cost(self) -> float:
        return float(self.seen.partitions.mean_cost[0])

    def work(self, *, away: bool = False) -> float:
        return float(load(self.seen, np.array([away]), POLICY).work[0])


def test_a_dear_tenant_is_counted_once() -> None:
    lane = Lane0()
    lane.seconds(120)
    # rates are told 3.5 % high by one-second reports; the others make up for what the dear one has too much
    assert lane.cost == pytest.approx(CHEAP, rel=0.15)
    assert lane.work() == pytest.approx(NAMED * DEAR + REST * CHEAP, rel=0.03)


def test_next_to_a_tenant_who_does_nearly_all_the_work_the_others_cost_next_to_nothing() -> None:
    lane = Lane0()
    lane.seconds(120, rest_cost=CHEAP / 100)
    assert lane.work() == pytest.approx(NAMED * DEAR + REST * CHEAP / 100, rel=0.05)


def test_who_is_away_takes_nothing_from_the_work_of_the_others() -> None:
    lane = Lane0()
    lane.seconds(120, away=True)
    assert lane.cost == pytest.approx(CHEAP, rel=0.05)
    assert lane.work(away=True) == pytest.approx(REST * CHEAP, rel=0.03)


def test_others_that_become_dearer_are_believed_within_two_half_lives() -> None:
    lane = Lane0()
    lane.seconds(120)
    lane.seconds(round(2 * POLICY.cost_half_life_s), rest_cost=3 * CHEAP)
    assert 2.2 * CHEAP < lane.cost < 3 * CHEAP


def test_a_backlog_teaches_nothing() -> None:
    """What is handled then is not what arrives."""
    lane = Lane0()
    lane.seconds(120)
    before = lane.cost
    lane.seconds(60, rest_cost=5 * CHEAP, lag=4 * (NAMED + REST))
    assert lane.cost == pytest.approx(before, rel=0.02)
    lane.seconds(60, rest_cost=5 * CHEAP, lag=2 * (NAMED + REST))
    assert lane.cost > 2 * CHEAP


def test_silent_workers_teach_nothing() -> None:
    lane = Lane0()
    lane.seconds(120)
    before = lane.cost
    lane.seconds(30, workers=False)
    assert lane.cost == pytest.approx(before, rel=0.02)
    lane.seconds(30)
    assert lane.cost == pytest.approx(before, rel=0.02)


def test_where_nearly_everybody_is_named_the_rest_is_not_made_a_monster() -> None:
    """A rise of the named that their rates do not show yet is nobody else's work."""
    lane = Lane0()
    lane.seconds(120, rest=2)
    lane.seconds(5, rest=2, named_cost=5 * DEAR)
    assert lane.cost < 5 * DEAR
    assert lane.work() < NAMED * 5 * DEAR * 1.05
