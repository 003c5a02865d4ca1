"""What a rival may know: sums over the telemetry that it was sent. Shared, so that every rule stands on the same instruments.

What is touched is summed, never all tokens: a site has a hundred thousand, a second's telemetry names a thousand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ingestion.contracts.names import Lane
from isolator.columns import ArrivalColumns, WorkerColumns
from isolator.interner import Floats, Ints
from isolator.simulate.contender import Reports, Site

KEPT = 0.95
"""Share of a token's measured cost that is kept from report to report: a half-life of 14 reports."""
PACE = 0.8
"""Of a partition's pace, from report to report: recent is about five."""
PRIOR_EVENTS = 2.0
"""Events that the usual cost weighs against the measured one."""
DEFAULT_COST_S = 1e-3
"""Handler seconds per record where nothing was learned."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Amounts by (token, partition); a pair may occur more than once."""

    token: Ints
    partition: Ints
    records: Floats
    work: Floats

    def on(self, partitions: Sequence[int] | Ints) -> "Rows":
        """Those of the given partitions."""
        mine = np.isin(self.partition, partitions)
        return Rows(self.token[mine], self.partition[mine], self.records[mine], self.work[mine])

    def by_token(self) -> tuple[Ints, Floats, Floats]:
        """Token ids, each once and rising, with their records and their work."""
        ids = np.flatnonzero(np.bincount(self.token))
        records, work = np.bincount(self.token, self.records), np.bincount(self.token, self.work)
        return ids, records[ids].astype(np.float64), work[ids].astype(np.float64)


def joined(parts: Sequence[Rows]) -> Rows:
    """All of them."""
    if not parts:
        return Rows(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))
    return Rows(
        np.concatenate([p.token for p in parts]),
        np.concatenate([p.partition for p in parts]),
        np.concatenate([p.records for p in parts]),
        np.concatenate([p.work for p in parts]),
    )


@dataclass(frozen=True, slots=True)
class Interval:
    """What was told since the last one."""

    seconds: float
    """that the arrivals cover"""
    arrived: Rows
    """appended to general, or rerouted from it; `work` is the records times the token's cost"""
    handled: Rows
    """in any lane, without the forwarded"""
    arrived_other: Floats
    """(partitions,) records of tokens that are not told apart"""
    handled_other: float
    """records of theirs, in any lane"""
    work_other: float
    """and their handler seconds"""


class Tally:
    """Tokens that the telemetry does not tell apart count in the sums only."""

    def __init__(self, site: Site) -> None:
        tokens, partitions = len(site.names), site.partitions
        self.waiting: Floats = np.zeros((partitions, tokens))
        """Records appended to general and not yet taken from it."""
        self.age_s: Floats = np.zeros(partitions)
        """Age of the oldest record that waits in general, as last probed."""
        self.lag: Floats = np.zeros(partitions)
        """Records that wait in general, as last probed."""
        self.side_lag: Floats = np.zeros(partitions)
        """Records that wait in the other lanes, as last probed."""
        learned = np.asarray(site.learned_cost, dtype=np.float64)
        self._usual = learned if len(learned) == tokens else np.full(tokens, DEFAULT_COST_S)
        self._cost_work: Floats = np.zeros(tokens)
        self._cost_records: Floats = np.zeros(tokens)
        self._running: dict[tuple[Lane, str], tuple[tuple[int, int, float], ...]] = {}
        self._arrived: list[Rows] = []
        self._handled: list[Rows] = []
        self._seconds = 0.0
        self._other: Floats = np.zeros(partitions)
        self._handled_other = self._work_other = 0.0
        self._pace: Floats = np.zeros(partitions)

    def see(self, reports: Reports) -> None:
        """Add one batch of telemetry."""
        if reports.arrivals is not None:
            self._arrivals(reports.arrivals)
        for worker in reports.workers:
            self._worker(worker)
        if reports.probe is not None:
            self.side_lag[:] = 0.0
            for row in reports.probe.lanes:
                if row.lane is Lane.GENERAL:
                    self.age_s[row.partition] = row.oldest_age_s
                    self.lag[row.partition] = row.lag
                else:
                    self.side_lag[row.partition] += row.lag

    def take(self) -> Interval:
        """What came since the last call."""
        interval = Interval(
            self._seconds,
            joined(self._arrived),
            joined(self._handled),
            self._other,
            self._handled_other,
            self._work_other,
        )
        self._arrived, self._handled, self._seconds = [], [], 0.0
        self._other, self._handled_other, self._work_other = np.zeros_like(self._other), 0.0, 0.0
        return interval

    def delay_s(self) -> Floats:
        """Seconds that the oldest record of each partition has waited: its age, but no more than the lag takes at the pace at which records were taken lately,
        so that a backfill's old timestamps are no delay.
        """
        drain_s: Floats = np.full(len(self.lag), np.inf)
        np.divide(self.lag, self._pace, out=drain_s, where=self._pace > 0)
        found: Floats = np.minimum(self.age_s, drain_s)
        return found

    def cost(self, tokens: Ints) -> Floats:
        """Handler seconds per record of `tokens`: as measured lately, the usual one while little was."""
        prior = self._usual[tokens] * PRIOR_EVENTS
        return (prior + self._cost_work[tokens]) / (PRIOR_EVENTS + self._cost_records[tokens])

    def running(self) -> list[tuple[int, float]]:
        """(token, seconds for which its record has been running so far), as last reported by each worker."""
        return [(token, seconds) for rows in self._running.values() for token, _, seconds in rows]

    def _arrivals(self, rows: ArrivalColumns) -> None:
        np.add.at(self.waiting, (rows.partition, rows.token), rows.records)
        self._arrived.append(Rows(rows.token, rows.partition, rows.records, rows.records * self.cost(rows.token)))
        self._seconds += rows.interval_s
        self._other = self._other + rows.other

    def _worker(self, rows: WorkerColumns) -> None:
        handled = rows.records - rows.forwarded
        self._handled.append(Rows(rows.token, rows.partition, handled, rows.work_s))
        # once a token, however many rows it has
        self._cost_records[rows.token] *= KEPT
        self._cost_work[rows.token] *= KEPT
        np.add.at(self._cost_records, rows.token, handled)
        np.add.at(self._cost_work, rows.token, rows.work_s)
        self._running[rows.lane, rows.slot] = rows.in_flight
        self._handled_other += float(rows.other_records.sum())
        self._work_other += float(rows.other_work_s.sum())
        if rows.lane is Lane.GENERAL:
            taken = np.bincount(rows.partition, rows.records, len(self.lag))[rows.partitions] + rows.other_records
            self._pace[rows.partitions] *= PACE
            self._pace[rows.partitions] += (1 - PACE) * taken / rows.interval_s
            place = (rows.partition, rows.token)
            np.subtract.at(self.waiting, place, rows.records)
            self.waiting[place] = np.maximum(self.waiting[place], 0.0)


def mean_cost(site: Site) -> float:
    """Handler seconds of a usual record of the site, by the learned rates."""
    rate, cost = np.asarray(site.learned_rate), np.asarray(site.learned_cost)
    total = float(rate.sum()) if len(rate) else 0.0
    return float(rate @ cost) / total if total > 0 and len(cost) == len(rate) else DEFAULT_COST_S


def busiest(site: Site) -> tuple[float, float]:
    """The largest learned rate (records/s) and the largest learned work (handler seconds/s) of any token; 0 where nothing was learned."""
    rate, cost = np.asarray(site.learned_rate), np.asarray(site.learned_cost)
    if not len(rate):
        return 0.0, 0.0
    return float(rate.max()), float((rate * cost).max()) if len(cost) == len(rate) else 0.0
