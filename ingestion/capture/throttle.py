"""Which events of a limited token are taken: one bucket per limited token, refilled at its limit. Pure but for the clock that is passed in.

The limit is each capture process's own: behind a balancer N processes take up to N times as much, and the controller, which sees what arrives, tightens it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

BURST_S: Final = 1.0
"""Seconds of the limit that may come at once."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a route says: events/s, and when it ends (Unix ms; None for never)."""

    per_s: float
    until_ms: int | None = None


@dataclass(slots=True)
class _Bucket:
    per_s: float
    left: float
    at_s: float


class Throttle:
    """Admits events by token. Belongs to the event loop; `limits` may be replaced at any time."""

    def __init__(self) -> None:
        self.limits: Mapping[str, Limit] = {}
        self._buckets: dict[str, _Bucket] = {}

    def admit(self, token: str, now_s: float, now_ms: int) -> bool:
        """Take one event of `token`? `now_s` is monotonic, `now_ms` Unix time."""
        limit = self.limits.get(token)
        if limit is None or (limit.until_ms is not None and now_ms >= limit.until_ms):
            self._buckets.pop(token, None)
            return True
        bucket = self._buckets.get(token)
        most = max(limit.per_s * BURST_S, 1.0)
        if bucket is None:
            bucket = self._buckets[token] = _Bucket(limit.per_s, most, now_s)
        bucket.left = min(bucket.left + max(now_s - bucket.at_s, 0.0) * limit.per_s, most)
        bucket.at_s, bucket.per_s = now_s, limit.per_s
        if bucket.left < 1.0:
            return False
        bucket.left -= 1.0
        return True

    def active(self, now_ms: int) -> int:
        """Tokens with a limit in force."""
        return sum(limit.until_ms is None or now_ms < limit.until_ms for limit in self.limits.values())

    def retry_after_s(self, token: str) -> int:
        """Whole seconds after which an event of `token` is taken again, at least 1."""
        bucket = self._buckets.get(token)
        if bucket is None or bucket.per_s <= 0:
            return 1
        return max(1, min(math.ceil((1.0 - bucket.left) / bucket.per_s), 60))
