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

JOURNAL: Final = Table(
    "journal",
    METADATA,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("slo", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("booked_s", BigInteger, nullable=False),
    Column("good", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("expected", BigInteger, nullable=False),
    Column("observed", BigInteger, nullable=False),
    Index("journal_booked_s", "booked_s"),
)
"""Every change of a slice as what was added to its counts (negative: taken off), in the order of booking: running sums follow it. Kept for two hours."""

TOTALS: Final = Table(
    "totals",
    METADATA,
    Column("slo", Text, primary_key=True),
    Column("born", BigInteger, nullable=False),
    Column("good", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("expected", BigInteger, nullable=False),
    Column("observed", BigInteger, nullable=False),
    Column("revised", BigInteger, nullable=False, server_default="0"),
    Column("revised_late", BigInteger, nullable=False, server_default="0"),
    Column("unseen", BigInteger, nullable=False, server_default="0"),
)
"""Sums since the objective's first second, and what revisions took back of them, so that counters made of both never go back (`slo.store.Totals`)."""

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

WAIVERS: Final = Table(
    "waivers",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("slo", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
)
"""Exceptions from a budget's freeze; rows are never deleted. An empty `slo` is every objective."""

DAYS: Final = Table(
    "days",
    METADATA,
    Column("slo", Text, primary_key=True),
    Column("zone", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("good", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("expected", BigInteger, nullable=False),
    Column("observed", BigInteger, nullable=False),
)
"""What each local day (`2026-10-25`) of a zone added up to, summed from minutes: reports look further back than slices are kept. Never deleted."""

BAD_STEPS: Final = Table(
    "bad_steps",
    METADATA,
    Column("slo", Text, primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("step_s", Integer, nullable=False),
    Column("good", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
)
"""Minutes (or coarser steps, where only they were left) that burned faster than the budget allows: incidents are made of them."""

ADJUSTMENTS: Final = Table(
    "adjustments",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("slo", Text, nullable=False),
    Column("begin_s", BigInteger, nullable=False),
    Column("end_s", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    Column("cancelled_ms", BigInteger),
    Column("cancelled_by", Text, nullable=False),
    Column("cancelled_why", Text, nullable=False),
)
"""Announced maintenance; rows are never deleted. An empty `slo` is every objective."""

EXCLUSIONS: Final = Table(
    "exclusions",
    METADATA,
    Column("adjustment", Text, primary_key=True),
    Column("slo", Text, primary_key=True),
    Column("zone", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("good", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("expected", BigInteger, nullable=False),
    Column("observed", BigInteger, nullable=False),
)
"""What an adjustment's window held on each local day, to the minute."""

CAPACITY: Final = Table(
    "capacity",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Float, nullable=False),
)
"""What limits and cost budgets were at, by the hour (its first second): the highest value of each."""
