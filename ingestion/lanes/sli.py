"""Exact outcome counts of one chunk, in columns: numpy, no object per record."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

import numpy as np

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Route
from ingestion.contracts.telemetry import (
    FRESHNESS_BUCKETS_S,
    MOVED_WITHIN_S,
    Kind,
    MinuteCount,
    Population,
    SliCounts,
)
from ingestion.lanes import layout
from ingestion.lanes.share import HERE, Share

_KINDS: Final = tuple(Kind)
_CODE: Final = {kind: code for code, kind in enumerate(_KINDS)}
_POPULATIONS: Final = (Population.PROTECTED, Population.MOVED)
_BUCKETS_MS: Final = np.array([s * 1000 for s in FRESHNESS_BUCKETS_S])
_MINUTE_MS: Final = 60_000


class Tally:
    """The counts of one chunk. `now_ms`: when the sink had committed; `routed`: every token that has a route, whatever it says."""

    def __init__(self, pipeline: str, lane: Lane, slo_s: float, now_ms: int, routed: Mapping[bytes, Route]) -> None:
        self._pipeline = pipeline
        self._lane = lane
        self._slo_ms = slo_s * 1000
        self._now_ms = now_ms
        self._routed = routed
        self._counts: Counter[tuple[int, Population, Kind]] = Counter()
        self._histogram: layout.Ints = np.zeros(len(FRESHNESS_BUCKETS_S) + 1, dtype=np.int64)
        self._skewed = 0

    def add(self, share: Share) -> None:
        """Count every record of the share; `appended_at` is the broker's in general, the header's in side lanes."""
        count = len(share)
        if not count:
            return
        kinds: layout.Ints = np.zeros(count, dtype=np.int64)
        appended, captured = self._times(share, kinds)
        moved: layout.Ints = np.zeros(count, dtype=np.int64)
        if self._routed and not self._routed.keys().isdisjoint(share.tokens):
            moved[:] = [self._moved(t, a) for t, a in zip(share.tokens, appended.tolist(), strict=True)]
        self._judge(share, kinds, appended, captured, moved)
        cell = (appended // _MINUTE_MS * len(_KINDS) + kinds) * 2 + moved
        low = int(cell.min())
        if int(cell.max()) - low < 1_000_000:
            hits = np.bincount(cell - low)
            found = [(int(i) + low, int(hits[i])) for i in np.nonzero(hits)[0]]
        else:  # append times far apart: a sparse count
            values, numbers = np.unique(cell, return_counts=True)
            found = list(zip(values.tolist(), numbers.tolist(), strict=True))
        for code, number in found:
            rest, population = divmod(code, 2)
            minute, kind = divmod(rest, len(_KINDS))
            self._counts[minute, _POPULATIONS[population], _KINDS[kind]] += number

    def gap(self, appended_ms: int, offsets: int) -> None:
        """`offsets` offsets without a record stand beside a record that was appended at `appended_ms`."""
        self._counts[appended_ms // _MINUTE_MS, Population.PROTECTED, Kind.GAP] += offsets

    def gaps(self, share: Share, expected: int, following: int) -> None:
        """Count the offsets from `expected` to `following` (excluded) that hold no record, in the minute of the record behind (or else before) them."""
        if following - expected == len(share):
            return
        for message in share.messages:
            offset = message.offset()
            assert offset is not None
            if offset > expected:
                self.gap(message.timestamp()[1], offset - expected)
            expected = offset + 1
        if following > expected:
            self.gap(share.messages[-1].timestamp()[1], following - expected)

    def message(self) -> SliCounts:
        """What is sent inside the transaction."""
        counts = tuple(MinuteCount(*key, number) for key, number in sorted(self._counts.items()) if number)
        histogram = tuple(int(n) for n in self._histogram) if self._histogram.any() else ()
        return SliCounts(self._pipeline, self._now_ms, self._lane, counts, histogram, self._skewed)

    def _times(self, share: Share, kinds: layout.Ints) -> tuple[layout.Ints, layout.Ints]:
        """append and capture times (-1 when not there); sets the kind of canaries, replays and backfills."""
        if self._lane is Lane.GENERAL:
            appended = np.array([m.timestamp()[1] for m in share.messages], dtype=np.int64)
            if share.codes is not None and min(share.codes) > 0:
                return appended, np.full(len(share), -1, dtype=np.int64)  # all forwarded: judged elsewhere
            captured = layout.milliseconds(
                share.captured if share.captured is not None else layout.captured_texts(share.headers)
            )
        else:
            captured, appended = layout.captured_forwards(share.headers)
        if int(captured.min()) < 0 or int(appended.min()) < 0:
            for i in np.nonzero((captured < 0) | (appended < 0))[0].tolist():
                traits = layout.traits(share.headers[i])
                captured[i] = traits.captured_at if traits.captured_at is not None else -1
                if self._lane is not Lane.GENERAL:
                    appended[i] = (
                        traits.appended_at if traits.appended_at is not None else share.messages[i].timestamp()[1]
                    )
                if not traits.plain:
                    kind = Kind.CANARY if traits.canary else Kind.REPLAYED if traits.replay else Kind.HISTORICAL
                    kinds[i] = _CODE[kind]
        return appended, captured

    def _judge(
        self, share: Share, kinds: layout.Ints, appended: layout.Ints, captured: layout.Ints, moved: layout.Ints
    ) -> None:
        local = kinds == _CODE[Kind.GOOD]
        if share.codes is not None:
            codes = np.array(share.codes)
            kinds[codes > 0] = _CODE[Kind.FORWARDED]
            local &= codes == HERE
        for i, verdict in share.verdicts.items():
            local[i] = False
            if kinds[i] == _CODE[Kind.GOOD]:
                kinds[i] = _CODE[verdict.kind]
        skewed = local & ((captured < 0) | (captured > self._now_ms))
        bad = int(skewed.sum())
        if bad:
            self._skewed += bad
            captured[skewed] = appended[skewed]
        age = self._now_ms - captured
        kinds[local & (age > self._slo_ms)] = _CODE[Kind.LATE]
        kinds[local & (moved == 1) & (age > self._slo_ms) & (age <= MOVED_WITHIN_S * 1000)] = _CODE[Kind.SLOW]
        protected = age[local & (moved == 0)]
        if len(protected):
            self._histogram += np.bincount(np.searchsorted(_BUCKETS_MS, protected), minlength=len(self._histogram))

    def _moved(self, token: bytes, appended_ms: int) -> bool:
        route = self._routed.get(token)
        return route is not None and route.wanted_at(appended_ms) is not Lane.GENERAL
