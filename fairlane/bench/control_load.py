"""The telemetry of a large pipeline, encoded beforehand, so that sending it costs next to nothing: 50 workers, 2,048 rows each a second, and the arrivals."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import (
    ArrivalReport,
    LanePartition,
    Message,
    PartitionLoad,
    ProbeReport,
    TokenLoad,
    WorkerReport,
    encode,
)

WORKERS: Final = 50
ROWS: Final = 2_048
"""Rows of one worker's report: 32 partitions, the top 64 tokens of each."""
TOP: Final = 64
PARTITIONS: Final = WORKERS * ROWS // TOP
TOKENS: Final = 100_000
VARIANTS: Final = 3
"""Different seconds, sent in turn."""
COST_S: Final = 75e-6
FLOOD: Final = "flood"
FLOOD_RATE: Final = 400
"""Records a second on each partition of worker 0: with it that worker has 1.27 times the work that it can do."""
MESSAGE_BYTES: Final = 1_000_000
_STAMP: Final = b'"at_ms":0,'


class Load:
    """A pipeline's telemetry. `second` gives the messages of one second, each at most MESSAGE_BYTES, in the order in which they are sent."""

    def __init__(self, pipeline: str, seed: int = 1) -> None:
        self._pipeline = pipeline
        random = np.random.default_rng(seed)
        self.rows = 0
        """Token rows a second, workers' and arrivals' together."""
        self._calm: list[list[bytes]] = []
        self._flood: list[list[bytes]] = []
        for _ in range(VARIANTS):
            tokens = random.integers(0, TOKENS, (PARTITIONS, TOP))
            counts = random.geometric(0.5, (PARTITIONS, TOP))
            arrived = [
                [TokenLoad(f"token-{t:06d}", p, n, 200 * n, keys=n) for t, n in zip(names, many, strict=True)]
                for p, (names, many) in enumerate(zip(tokens.tolist(), counts.tolist(), strict=True))
            ]
            self.rows = 2 * PARTITIONS * TOP
            self._calm.append(self._messages(arrived, flooding=False))
            self._flood.append(self._messages(arrived, flooding=True))

    def second(self, number: int, at_ms: int, flood_s: int) -> Iterator[bytes]:
        """The messages of the `number`th second, sent at `at_ms`; the flood has lasted for `flood_s` seconds."""
        for template in (self._flood if flood_s else self._calm)[number % VARIANTS]:
            yield template.replace(_STAMP, b'"at_ms":%d,' % at_ms, 1)
        late = int(flood_s * (FLOOD_RATE - _taken()))
        mine = ROWS // TOP
        lanes = tuple(
            LanePartition(lane, p, 0, 0, late if lane is Lane.GENERAL and p < mine else 0, 0.0, "exact")
            for lane in Lane
            for p in range(PARTITIONS)
        )
        yield encode(ProbeReport(self._pipeline, at_ms, lanes))

    def _messages(self, arrived: Sequence[Sequence[TokenLoad]], *, flooding: bool) -> list[bytes]:
        mine = ROWS // TOP
        messages: list[bytes] = []
        for worker in range(WORKERS):
            own = range(worker * mine, (worker + 1) * mine)
            done = [
                TokenLoad(row.token, p, row.records, row.bytes, row.records * COST_S, row.keys)
                for p in own
                for row in arrived[p]
            ]
            flooded = flooding and worker == 0
            if flooded:
                taken = _taken()
                done += [TokenLoad(FLOOD, p, taken, 200 * taken, taken * COST_S, 50) for p in own]
            busy = sum(row.work_s for row in done) / mine
            loads = tuple(
                PartitionLoad(p, 0, 10_000 if flooded else 0, 0, busy, len(done) // mine, 0, assigned_s=1e6)
                for p in own
            )
            messages.append(
                self._encoded(
                    WorkerReport(self._pipeline, 0, 1.0, Lane.GENERAL, str(worker), "bench", 0.05, loads, tuple(done))
                )
            )
        rows = [row for some in arrived for row in some]
        if flooding:
            rows += [TokenLoad(FLOOD, p, FLOOD_RATE, 200 * FLOOD_RATE, keys=50) for p in range(mine)]
        parts = -(-len(encode(ArrivalReport(self._pipeline, 0, 1.0, tuple(rows)))) // (MESSAGE_BYTES * 9 // 10))
        size = -(-len(rows) // parts)
        for start in range(0, len(rows), size):
            part = tuple(rows[start : start + size])
            messages.append(self._encoded(ArrivalReport(self._pipeline, 0, 1.0, part)))
        return messages

    @staticmethod
    def _encoded(message: Message) -> bytes:
        value = encode(message)
        assert len(value) < MESSAGE_BYTES
        assert _STAMP in value[:200]
        return value


def _taken() -> int:
    """What worker 0 handles of the flood in a second, on each partition: what its other tenants' 2 records a row leave of 0.95 s."""
    mine = ROWS // TOP
    return int((0.95 - 2 * ROWS * COST_S) / COST_S / mine)
