"""The tables of the SLO room. `fairlane/migrations` creates them; a test holds the two equal. Times are Unix seconds unless they end in `_ms`."""

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, Table, Text

METADATA: Final = MetaData()

SLICES: Final = Table(
    "slices",
    METADATA,
    Column("slo", Text, primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("step_s", Integer, primary_key=True, autoincrement=False),
    Column("good", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("expected", BigInteger, nullable=False),
    Column("observed", BigInteger, nullable=False),
    Index("slices_at", "at"),
)
"""What windows are summed from, at three resolutions that never overlap."""

BOOKED: Final = Table(
    "booked",
    METADATA,
    Column("slo", Text, primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("good", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("expected", BigInteger, nullable=False),
    Column("observed", BigInteger, nullable=False),
)
"""What each minute was last booked as, so that late data can revise it after it was merged into a coarser slice."""

TOTALS: Final = Table(
    "totals",
    METADATA,
    Column("slo", Text, primary_key=True),
    Column("born", BigInteger, nullable=False),
    Column("good", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("expected", BigInteger, nullable=False),
    Column("observed", BigInteger, nullable=False),
)
"""Sums since the objective's first second: what the monotone counters show."""

EVALUATIONS: Final = Table(
    "evaluations",
    METADATA,
    Column("slo", Text, primary_key=True),
    Column("pipeline", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("exhaustion_s", Float),
    Column("budget_left", Float, nullable=False),
    Column("body", Text, nullable=False),
)
"""The newest evaluation of each objective; `body` is the whole of it as JSON."""

TRANSITIONS: Final = Table(
    "transitions",
    METADATA,
    Column("slo", Text, primary_key=True),
    Column("at_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
)
"""When an objective's state or severity changed."""

SERIES: Final = Table(
    "series",
    METADATA,
    Column("pipeline", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("at_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Float, nullable=False),
    Index("series_at_ms", "at_ms"),
)
"""Short time series for the page."""

LIVE: Final = Table(
    "live",
    METADATA,
    Column("pipeline", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)
"""The newest of each kind of report, as JSON."""
