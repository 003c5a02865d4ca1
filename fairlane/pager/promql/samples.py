"""What was scraped: for each series its samples of the last minutes, and its newest one for a day."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from re import fullmatch
from typing import Final

from fairlane.pager.promql.syntax import Matcher

LOOKBACK_S: Final = 300.0
"""Prometheus' own: an older sample is none."""
KEEP_S: Final = 1_500.0
REMEMBER_S: Final = 86_400.0

Labels = frozenset[tuple[str, str]]
Sample = tuple[float, float]
"""Time (seconds of one steady clock) and value."""


@dataclass(slots=True)
class _Series:
    samples: deque[tuple[float, float | None]] = field(default_factory=deque)
    """None: it was gone by then."""
    last: Sample = (0.0, 0.0)


@dataclass(slots=True)
class Samples:
    """Series by name and labels. Times are those of a clock that never goes back. Not thread-safe."""

    began: float
    """When the first round was: nothing older is known."""
    _series: dict[str, dict[Labels, _Series]] = field(default_factory=dict)

    def take(self, at: float, found: Iterable[tuple[str, Labels, float]], names: frozenset[str]) -> None:
        """A whole round: of `names`, what is not among `found` is gone."""
        seen: set[tuple[str, Labels]] = set()
        for name, labels, value in found:
            if name in names:
                self.put(at, name, labels, value)
                seen.add((name, labels))
        for name, by in self._series.items():
            for labels, series in by.items():
                if (name, labels) not in seen and series.samples and series.samples[-1][1] is not None:
                    series.samples.append((at, None))
        self._forget(at)

    def put(self, at: float, name: str, labels: Labels, value: float) -> None:
        """One sample."""
        series = self._series.setdefault(name, {}).setdefault(labels, _Series())
        series.samples.append((at, value))
        series.last = (at, value)

    def recall(self, at: float, name: str, labels: Labels, value: float) -> None:
        """The newest sample of a series as an earlier process knew it; it has gone since."""
        series = self._series.setdefault(name, {}).setdefault(labels, _Series())
        if not series.samples:
            series.last = (at, value)

    def newest(self, names: Iterable[str]) -> Iterator[tuple[str, Labels, Sample]]:
        """The newest sample of each series, gone or not."""
        for name in names:
            for labels, series in self._series.get(name, {}).items():
                yield name, labels, series.last

    def at(self, name: str, matchers: Sequence[Matcher], when: float) -> dict[Labels, float]:
        """The value of each series at that time."""
        found: dict[Labels, float] = {}
        for labels, series in self._matching(name, matchers):
            for at, value in reversed(series.samples):
                if at <= when:
                    if value is not None and at > when - LOOKBACK_S:
                        found[labels] = value
                    break
        return found

    def within(self, name: str, matchers: Sequence[Matcher], begin: float, end: float) -> dict[Labels, list[Sample]]:
        """The samples of each series in [begin, end], oldest first; of an older past only the newest one is known."""
        found: dict[Labels, list[Sample]] = {}
        for labels, series in self._matching(name, matchers):
            some = [(at, value) for at, value in series.samples if value is not None and begin <= at <= end]
            if not some and begin <= series.last[0] <= end:
                some = [series.last]
            if some:
                found[labels] = some
        return found

    def _matching(self, name: str, matchers: Sequence[Matcher]) -> Iterator[tuple[Labels, _Series]]:
        for labels, series in self._series.get(name, {}).items():
            if not matchers or all(_holds(one, dict(labels).get(one.label, "")) for one in matchers):
                yield labels, series

    def _forget(self, now: float) -> None:
        for by in self._series.values():
            for labels in [one for one, series in by.items() if series.last[0] < now - REMEMBER_S]:
                del by[labels]
            for series in by.values():
                while series.samples and series.samples[0][0] < now - KEEP_S:
                    series.samples.popleft()


def _holds(matcher: Matcher, value: str) -> bool:
    same = fullmatch(matcher.value, value) is not None if "~" in matcher.op else value == matcher.value
    return same if matcher.op in {"=", "=~"} else not same
