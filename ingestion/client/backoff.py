"""How long to wait before trying again. Pure."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential with full jitter over the upper half: attempt n (from 0) waits 0.5 to 1 times min(limit_s, first_s * 2^n)."""

    first_s: float = 0.2
    limit_s: float = 10.0
    attempts: int = 6
    """Tries in all."""

    def delay_s(self, attempt: int, retry_after: str | None, draw: Callable[[], float] = random.random) -> float:
        """Seconds to wait after try number `attempt`; at least what the server asked for in Retry-After (seconds), within `limit_s`."""
        own = min(self.limit_s, self.first_s * 2.0 ** min(attempt, 60)) * (0.5 + 0.5 * draw())
        try:
            asked = float(retry_after or 0)
        except ValueError:  # an HTTP date: our own back-off will do
            asked = 0.0
        return min(self.limit_s, max(own, asked)) if math.isfinite(asked) else own
