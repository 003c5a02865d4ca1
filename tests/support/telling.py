"""Telemetry by hand, for rules that are tested without a world: one second at a time."""

from collections.abc import Mapping, Sequence

import numpy as np

from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import LanePartition, ProbeReport
from isolator.columns import ArrivalColumns, WorkerColumns
from isolator.simulate.contender import Contender, Orders, Reports, Site


def site(
    tokens: int = 20,
    *,
    partitions: int = 2,
    slots: int = 2,
    rates: Mapping[int, float] | None = None,
    cost: float = 1e-3,
) -> Site:
    """Tokens t0, t1, ... of 1 event/s each, but `rates`; a slot does 1 work/s; SLO 30 s."""
    learned = [(rates or {}).get(i, 1.0) for i in range(tokens)]
    names = [f"t{i}" for i in range(tokens)]
    return Site(names, partitions, slots, 1.0, 30.0, learned, [cost] * tokens, 86_400.0)


def second(
    t: float,
    arrived: Mapping[int, float] | None = None,
    *,
    handled: Mapping[int, float] | None = None,
    forwarded: Mapping[int, float] | None = None,
    work: Mapping[int, float] | None = None,
    overflow: Mapping[int, float] | None = None,
    ages: Sequence[float] | None = None,
    lags: Sequence[float] | None = None,
    side_lag: float = 0.0,
    running: tuple[tuple[int, int, float], ...] = (),
    partition: int = 0,
    seconds: float = 1.0,
    other: float = 0.0,
) -> Reports:
    """One second that ended at `t`: records by token, all on `partition`; work defaults to 1 ms a record. `other` records of tokens that are not told apart arrive
    and are handled on `partition`, at 1 ms each. `side_lag` records wait in overflow there.
    """
    workers = [_worker(Lane.GENERAL, handled or {}, forwarded or {}, work or {}, running, t, partition, other)]
    if overflow:
        workers.append(_worker(Lane.OVERFLOW, overflow, {}, {}, (), t, partition, 0.0))
    probe = None
    if ages is not None or lags is not None:
        old = list(ages or [0.0] * len(lags or ()))
        # where only ages are told the lag is beyond doubt
        behind = list(lags if lags is not None else [1e9 if age > 0 else 0.0 for age in old])
        rows = [
            LanePartition(Lane.GENERAL, p, 0, 0, int(lag), age, "exact")
            for p, (age, lag) in enumerate(zip(old, behind, strict=True))
        ]
        rows.append(LanePartition(Lane.OVERFLOW, partition, 0, 0, int(side_lag), 0.0, "exact"))
        probe = ProbeReport("p", int(t * 1000), tuple(rows))
    return Reports(t, _arrivals(arrived or {}, t, partition, seconds, other), tuple(workers), probe)


def drive(rule: Contender, seconds: Sequence[Reports]) -> list[tuple[float, Orders]]:
    """Tells them and ticks after each whole tick; what was ordered and when, without the empty orders."""
    orders: list[tuple[float, Orders]] = []
    due = rule.tick_s
    for report in seconds:
        rule.see(report)
        if report.at_s >= due - 1e-9:
            due = report.at_s + rule.tick_s
            order = rule.tick(report.at_s)
            if order.move or order.restore or order.quarantine or order.limits is not None:
                orders.append((report.at_s, order))
    return orders


def _arrivals(rows: Mapping[int, float], t: float, partition: int, seconds: float, other: float) -> ArrivalColumns:
    tokens = np.array(sorted(rows), dtype=np.int64)
    records = np.array([float(rows[i]) for i in sorted(rows)])
    places = np.full(len(tokens), partition, dtype=np.int64)
    rest = np.where(np.arange(2) == partition, other, 0.0)
    return ArrivalColumns(int(t * 1000), seconds, tokens, places, records, np.ones(len(tokens)), rest)


def _worker(
    lane: Lane,
    handled: Mapping[int, float],
    forwarded: Mapping[int, float],
    work: Mapping[int, float],
    running: tuple[tuple[int, int, float], ...],
    t: float,
    partition: int,
    other: float,
) -> WorkerColumns:
    names = sorted({*handled, *forwarded, *work})
    tokens = np.array(names, dtype=np.int64)
    sent = np.array([float(forwarded.get(i, 0.0)) for i in names])
    done = np.array([float(handled.get(i, 0.0)) for i in names])
    busy = np.array([float(work.get(i, handled.get(i, 0.0) * 1e-3)) for i in names])
    one, none = np.array([partition], dtype=np.int64), np.zeros(1)
    places = np.full(len(names), partition, dtype=np.int64)
    return WorkerColumns(
        int(t * 1000), 1.0, lane, "0", "dev", 0.0, one, np.array([busy.sum()]), none, none, np.array([1e6]),
        tokens, places, done + sent, sent, busy, np.array([other]), np.array([other * 1e-3]), running,
    )  # fmt: skip
