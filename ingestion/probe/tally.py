"""Counts arrivals per (partition, token): the busiest tokens of a partition exactly, the rest folded into `other`. Pure.

One dictionary update a record: everything else happens once an interval.
"""

import base64
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from datasketches import hll_sketch

from ingestion.contracts.names import CANARY_TOKEN
from ingestion.contracts.telemetry import OTHER, TOP_TOKENS, TokenLoad

SKETCH_LG_K: Final = 12
"""4,096 registers: 1.6 % error in 2 KB."""
ROWS: Final = 12_000
"""Rows in one report, so that it stays under 1 MB: with more than 187 partitions the top of each becomes shorter."""
PLACES: Final = 500_000
"""Different (partition, token, key) in one interval; arrivals beyond are counted in `other` only."""


class Tally:
    """The arrivals of one interval.

    `records`: (partition, token, key) to count; `sizes`: (partition, token) to bytes. Open to the counter, for which a call a record is too much.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[int, str, bytes | None], int] = defaultdict(int)
        self.sizes: dict[tuple[int, str], int] = defaultdict(int)
        self._beyond: dict[int, list[int]] = defaultdict(lambda: [0, 0])

    def room(self, records: int) -> bool:
        """May `records` more be counted by key? Their counter then updates `records` and `sizes` itself, else it calls `skip`."""
        return len(self.records) + records <= PLACES

    def skip(self, partition: int, records: int, size: int) -> None:
        """Count records that were not looked at: they appear in `other`."""
        beyond = self._beyond[partition]
        beyond[0] += records
        beyond[1] += size

    def rows(self, partitions: int, top: int = TOP_TOKENS) -> list[TokenLoad]:
        """Per partition its `top` busiest tokens by records, then OTHER with what is left (no OTHER for nothing left). Canaries are no arrivals."""
        top = min(top, max(ROWS // max(partitions, 1), 1))
        counts: dict[tuple[int, str], list[int]] = {}
        for (partition, token, _), n in self.records.items():
            if token == CANARY_TOKEN:
                continue
            row = counts.setdefault((partition, token), [0, 0, 0])
            row[0] += n
            row[1] += 1
            row[2] = max(row[2], n)
        by_partition: dict[int, list[TokenLoad]] = defaultdict(list)
        for (partition, token), (n, keys, busiest) in counts.items():
            load = TokenLoad(token, partition, n, self.sizes[partition, token], keys=keys, top_key_records=busiest)
            by_partition[partition].append(load)
        for partition in self._beyond:
            by_partition.setdefault(partition, [])
        rows: list[TokenLoad] = []
        for partition, loads in sorted(by_partition.items()):
            loads.sort(key=lambda load: (-load.records, load.token))
            rows += loads[:top]
            other = self._other(partition, loads[top:])
            if other.records:
                rows.append(other)
        return rows

    def _other(self, partition: int, loads: Iterable[TokenLoad]) -> TokenLoad:
        records, size = self._beyond.get(partition, (0, 0))
        keys = busiest = 0
        for load in loads:
            records += load.records
            size += load.bytes
            keys += load.keys
            busiest = max(busiest, load.top_key_records)
        return TokenLoad(OTHER, partition, records, size, keys=keys, top_key_records=busiest)

    def sketch(self) -> tuple[str, int]:
        """Base64 of an HLL sketch of the tokens, and how many different ones there were."""
        tokens = {token for _, token in self.sizes} - {CANARY_TOKEN}
        sketch = hll_sketch(SKETCH_LG_K)
        for token in tokens:
            sketch.update(token)
        return base64.b64encode(sketch.serialize_compact()).decode(), len(tokens)
