"""How many tokens were active in the last minute: a union of the scouts' distinct-count sketches, or a count where there are none."""

import base64
import binascii
from typing import Final

from datasketches import hll_sketch, hll_union

LG_K: Final = 12
WINDOW_S: Final = 30.0


class ActiveTokens:
    """Two unions of half a minute each: the answer covers 30 to 60 seconds."""

    def __init__(self) -> None:
        self._now = hll_union(LG_K)
        self._past = hll_union(LG_K)
        self._since = 0.0
        self.unreadable = 0

    def add(self, sketch: str, at_s: float) -> None:
        """Merge one Base64 sketch; an unreadable one is counted and skipped."""
        if at_s - self._since >= WINDOW_S:
            self._past, self._now, self._since = self._now, hll_union(LG_K), at_s
        try:
            self._now.update(hll_sketch.deserialize(base64.b64decode(sketch, validate=True)))
        except (ValueError, binascii.Error, RuntimeError, IndexError):
            self.unreadable += 1

    def estimate(self) -> int:
        """Distinct tokens of the last 30 to 60 s, 0 when no sketch came."""
        both = hll_union(LG_K)
        both.update(self._past.get_result())
        both.update(self._now.get_result())
        distinct: float = both.get_estimate()
        return round(distinct)
