"""The shell's own tables, beside those of `slo.schema`. `fairlane/migrations` creates both; a test holds them equal."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text

METADATA: Final = MetaData()

BOOKING_OFFSETS: Final = Table(
    "booking_offsets",
    METADATA,
    Column("pipeline", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("cluster", Text, nullable=False),
    Column("next", BigInteger, nullable=False),
)
"""Where the booking stands in the telemetry of a cluster: written with what it booked, so that each message counts once."""

BOOKING_MARKS: Final = Table(
    "booking_marks",
    METADATA,
    Column("pipeline", Text, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
)
"""Append time of the newest booked message: the booking's own clock, by which minutes are closed."""

MINUTE_COUNTS: Final = Table(
    "minute_counts",
    METADATA,
    Column("pipeline", Text, primary_key=True),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("lane", Text, primary_key=True),
    Column("population", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Index("minute_counts_minute", "minute"),
)
"""Raw outcomes by minute of append (added), so that late ones can revise a slice. Capture's answers stand here too, in lane `capture`."""

MINUTE_OFFSETS: Final = Table(
    "minute_offsets",
    METADATA,
    Column("pipeline", Text, primary_key=True),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offsets", BigInteger, nullable=False),
    Index("minute_offsets_minute", "minute"),
)
"""Offsets that each general partition took in a minute (set)."""

MINUTE_SECONDS: Final = Table(
    "minute_seconds",
    METADATA,
    Column("pipeline", Text, primary_key=True),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("sli", Text, primary_key=True),
    Column("observed", BigInteger, nullable=False),
    Column("bad", BigInteger, nullable=False),
    Index("minute_seconds_minute", "minute"),
)
"""Which seconds of a minute were observed and which were bad, a bit each: second 0 is bit 0."""

VERDICTS: Final = Table(
    "verdicts",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("pipeline", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("verdicts_pipeline_at_ms", "pipeline", "at_ms"),
)
"""The controller's decisions, written behind by its projection; `body` is JSON."""
