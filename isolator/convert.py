"""Telemetry's reports as columns, with the ids of an interner. No object per row."""

import numpy as np

from ingestion.contracts.telemetry import OTHER, ArrivalReport, TokenRows, WorkerReport
from isolator.columns import ArrivalColumns, WorkerColumns
from isolator.interner import Bools, Floats, Interner, Ints


def arrivals(report: ArrivalReport, interner: Interner) -> ArrivalColumns:
    """What a scout reported."""
    rows = TokenRows.of(report.tokens)
    partitions, records = rows.partitions, rows.column("records")
    named = _named(rows)
    other = ~named
    return ArrivalColumns(
        report.at_ms,
        report.interval_s,
        interner.ids(token for token in rows.tokens if token != OTHER) if other.any() else interner.ids(rows.tokens),
        partitions[named],
        records[named],
        rows.column("top_key_records")[named],
        _by_partition(partitions[other], records[other], int(partitions.max(initial=-1)) + 1),
        report.active_sketch,
    )


def worker(report: WorkerReport, interner: Interner) -> WorkerColumns:
    """What a worker reported. Work of OTHER on a partition that the report does not list is left out."""
    rows, loads = TokenRows.of(report.tokens), report.partitions
    partitions, records = rows.partitions, rows.column("records")
    forwarded, work = rows.column("forwarded"), rows.column("work_s")
    named = _named(rows)
    other = ~named
    mine = np.array([load.partition for load in loads], dtype=np.int64)
    size = int(max(mine.max(initial=-1), partitions.max(initial=-1))) + 1
    several = other.any()
    return WorkerColumns(
        at_ms=report.at_ms,
        interval_s=report.interval_s,
        lane=report.lane,
        slot=report.slot,
        build=report.build,
        overhead_s=report.overhead_s,
        partitions=mine,
        busy_s=np.array([load.busy_s for load in loads], dtype=np.float64),
        position=np.array([load.position for load in loads], dtype=np.float64),
        end=np.array([load.end for load in loads], dtype=np.float64),
        assigned_s=np.array([load.assigned_s for load in loads], dtype=np.float64),
        token=interner.ids(token for token in rows.tokens if token != OTHER) if several else interner.ids(rows.tokens),
        partition=partitions[named],
        records=records[named],
        forwarded=forwarded[named],
        work_s=work[named],
        other_records=_by_partition(partitions[other], np.maximum(records - forwarded, 0.0)[other], size)[mine],
        other_work_s=_by_partition(partitions[other], work[other], size)[mine],
        in_flight=tuple(
            (interner.id(load.in_flight_token), load.partition, load.in_flight_s)
            for load in loads
            if load.in_flight_token and load.in_flight_token != OTHER
        ),
        moves_refused=report.moves_refused,
        concurrency=report.concurrency,
        top_key=rows.column("top_key_records")[named],
        troubles=report.troubles,
    )


def _named(rows: TokenRows) -> Bools:
    return np.fromiter((token != OTHER for token in rows.tokens), np.bool_, len(rows.tokens))


def _by_partition(partition: Ints, amount: Floats, size: int) -> Floats:
    return np.bincount(partition, amount, size).astype(np.float64)
