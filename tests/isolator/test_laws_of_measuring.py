"""Laws of the observer: what it says depends on what happened, not on how it was told."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import (
    ArrivalReport,
    LanePartition,
    PartitionLoad,
    ProbeReport,
    TokenLoad,
    WorkerReport,
)
from isolator import convert
from isolator.baseline import Baseline
from isolator.constants import Policy
from isolator.interner import Interner
from isolator.observation import Observation
from isolator.observe import Observer, Report
from isolator.rates import Decayed

POLICY = Policy()
START = 1_700_000_000
PARTITIONS = 4
ROW = st.tuples(st.sampled_from("abcdefgh"), st.integers(0, PARTITIONS - 1), st.integers(1, 200), st.integers(1, 40))
SECOND = st.lists(ROW, min_size=1, max_size=8, unique_by=lambda row: row[:2])
SECONDS = st.lists(SECOND, min_size=1, max_size=14)


def reports(t: int, rows: list[tuple[str, int, int, int]], interval_s: float = 1.0) -> list[Report]:
    at = (START + t) * 1000
    arrived = tuple(TokenLoad(token, p, n, 100 * n, top_key_records=int(interval_s)) for token, p, n, _ in rows)
    done = tuple(TokenLoad(token, p, n, 0, work_s=n * cost * 1e-4) for token, p, n, cost in rows)
    loads = tuple(
        PartitionLoad(p, 0, 0, 0, sum(d.work_s for d in done if d.partition == p), 0, 0, assigned_s=1e6)
        for p in range(PARTITIONS)
    )
    lanes = tuple(LanePartition(Lane.GENERAL, p, 0, 50, 50, 0.5, "exact") for p in range(PARTITIONS))
    return [
        ArrivalReport("p", at, interval_s, arrived),
        WorkerReport("p", at, interval_s, Lane.GENERAL, "0", "b", 0.1 * interval_s, loads, done),
        ProbeReport("p", at, lanes),
    ]


class Told:
    """An observer with baselines, and what it says by token."""

    def __init__(self) -> None:
        self.interner = Interner()
        self.observer = Observer("p", POLICY, self.interner)
        self.baseline = Baseline(POLICY, self.interner)

    def fold(self, told: list[Report], t: int) -> None:
        for report in told:
            assert self.observer.fold(report, (START + t) * 1000)

    def look(self, t: int) -> dict[str, list[float]]:
        seen, usual = self.observer.look((START + t) * 1000, self.baseline)
        self.baseline.learn(seen, np.zeros(0, dtype=np.int64), calm=True)
        everybody = [usual.rate.sum() + usual.rest_rate, usual.work.sum() + usual.rest_work, usual.total_rate]
        return {**by_token(seen), "everybody": [float(value) for value in everybody]}


def by_token(seen: Observation) -> dict[str, list[float]]:
    tokens, rows, parts = seen.tokens, seen.rows, seen.partitions
    said = {
        name: [float(x[i]) for x in (tokens.rate, tokens.seen, tokens.recent, tokens.cost, tokens.handled)]
        for i, name in enumerate(seen.names)
    }
    for i, (place, partition) in enumerate(zip(rows.token.tolist(), rows.partition.tolist(), strict=True)):
        said[f"{seen.names[place]}/{partition}"] = [float(rows.rate[i]), float(rows.waiting[i]), float(rows.top_key[i])]
    said["partitions"] = [*parts.other_rate.tolist(), *parts.mean_cost.tolist(), *parts.lag.tolist()]
    said["slots"] = [*seen.slots.capacity.tolist(), *seen.slots.busy.tolist()]
    return said


def same(one: dict[str, list[float]], other: dict[str, list[float]], rtol: float = 1e-6) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], rtol=rtol, atol=1e-6, err_msg=name)


@settings(max_examples=25, deadline=None)
@given(SECONDS)
def test_the_same_input_gives_the_same_output(seconds: list[list[tuple[str, int, int, int]]]) -> None:
    said = []
    for _ in range(2):
        told = Told()
        for t, rows in enumerate(seconds):
            told.fold(reports(t, rows), t)
        said.append(told.look(len(seconds)))
    assert said[0] == said[1]


@settings(max_examples=25, deadline=None)
@given(SECONDS, st.randoms(use_true_random=False))
def test_the_order_of_reports_within_a_second_does_not_matter(
    seconds: list[list[tuple[str, int, int, int]]], random: Random
) -> None:
    one, other = Told(), Told()
    for t, rows in enumerate(seconds):
        told = reports(t, rows)
        one.fold(told, t)
        random.shuffle(told)
        other.fold(told, t)
    same(one.look(len(seconds)), other.look(len(seconds)))


@settings(max_examples=25, deadline=None)
@given(SECONDS, st.integers(0, 8))
def test_a_scouts_report_in_two_messages_is_the_same_as_in_one(
    seconds: list[list[tuple[str, int, int, int]]], cut: int
) -> None:
    one, other = Told(), Told()
    for t, rows in enumerate(seconds):
        told = reports(t, rows)
        one.fold(told, t)
        arrived = told[0]
        assert isinstance(arrived, ArrivalReport)
        parts = [replace(arrived, tokens=arrived.tokens[:cut]), replace(arrived, tokens=arrived.tokens[cut:])]
        other.fold([*parts, *told[1:]], t)
    same(one.look(len(seconds)), other.look(len(seconds)))


@settings(max_examples=25, deadline=None)
@given(SECOND, st.integers(2, 6))
def test_one_report_about_several_seconds_is_the_same_as_one_for_each(
    rows: list[tuple[str, int, int, int]], several: int
) -> None:
    one, other = Told(), Told()
    for t in range(several):
        one.fold(reports(t, rows), t)
    whole = [(token, p, several * n, cost) for token, p, n, cost in rows]
    other.fold(reports(several - 1, whole, float(several)), several - 1)
    same(one.look(several - 1), other.look(several - 1))


@settings(max_examples=25, deadline=None)
@given(SECONDS)
def test_columns_say_what_their_report_says(seconds: list[list[tuple[str, int, int, int]]]) -> None:
    one, other = Told(), Told()
    for t, rows in enumerate(seconds):
        arrived, worked, probe = reports(t, rows)
        one.fold([arrived, worked, probe], t)
        assert isinstance(arrived, ArrivalReport)
        assert isinstance(worked, WorkerReport)
        columns = [convert.arrivals(arrived, other.interner), convert.worker(worked, other.interner), probe]
        other.fold(columns, t)
    assert one.look(len(seconds)) == other.look(len(seconds))


def test_forgetting_who_sleeps_changes_nothing_for_those_who_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    forgetful, other = Told(), Told()
    rng = np.random.default_rng(3)
    said = dict[int, dict[str, list[float]]]()
    monkeypatch.setattr("isolator.rates.LEAST_ROWS", 8)
    for t in range(0, 900, 5):
        busy = [("busy", p, 50, 10) for p in range(PARTITIONS)]
        passing = [(f"t-{t}-{i}", int(rng.integers(PARTITIONS)), 3, 10) for i in range(5)]
        for who, least in ((forgetful, 8), (other, 10**9)):
            monkeypatch.setattr("isolator.observe.LEAST_PLACES", least)
            who.fold(reports(t, busy + passing), t)
            said[least] = who.look(t)
        for name, values in said[8].items():
            np.testing.assert_allclose(values, said[10**9][name], rtol=1e-5, atol=5e-3, err_msg=name)
    assert len(said[8]) < len(said[10**9]) - 300, "it did forget some"


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 100), st.integers(0, 40)), max_size=30))
def test_lazy_decay_is_eager_decay(additions: list[tuple[int, float, int]]) -> None:
    lazy, eager, at = Decayed(10.0), np.zeros(5), 1000.0
    lazy.advance(at)
    for place, count, wait in additions:
        at += wait
        lazy.add(np.array([place]), np.array([count]), at, 5)
        eager *= 0.5 ** (wait / 10.0)
        eager[place] += count
        if wait > 25:
            lazy.advance(at)
    lazy.advance(at)
    np.testing.assert_allclose(lazy.upto(5), eager, rtol=1e-9, atol=1e-12)
