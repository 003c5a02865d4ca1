"""What a metric catalogue is made of: each room lists its metrics in its own `metrics.py` as a tuple of `Metric`.

Dashboards, alerts and docs may use catalogued names only; a law test holds them to it.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

MetricType = Literal["counter", "gauge", "histogram"]

DEFAULT_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its full name (counters end in `_total`), type, labels, unit and meaning."""

    name: str
    type: MetricType
    labels: tuple[str, ...]
    unit: str
    meaning: str
    buckets: tuple[float, ...] = field(default=DEFAULT_BUCKETS)

    def counter(self, registry: CollectorRegistry) -> Counter:
        """Register it as a Counter; raises ValueError when the catalogue says otherwise."""
        self._must_be("counter")
        return Counter(self.name.removesuffix("_total"), self.meaning, self.labels, registry=registry)

    def gauge(self, registry: CollectorRegistry) -> Gauge:
        """Register it as a Gauge; raises ValueError when the catalogue says otherwise."""
        self._must_be("gauge")
        return Gauge(self.name, self.meaning, self.labels, registry=registry)

    def histogram(self, registry: CollectorRegistry) -> Histogram:
        """Register it as a Histogram; raises ValueError when the catalogue says otherwise."""
        self._must_be("histogram")
        return Histogram(self.name, self.meaning, self.labels, buckets=self.buckets, registry=registry)

    @property
    def series(self) -> tuple[str, ...]:
        """The names that a scrape shows for it."""
        if self.type == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "count", "sum"))
        return (self.name,)

    def _must_be(self, wanted: MetricType) -> None:
        if self.type != wanted:
            raise ValueError(f"{self.name} is catalogued as a {self.type}, not a {wanted}")
