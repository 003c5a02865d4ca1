"""The shell's own tables, beside those of `slo.schema`. `fairlane/migrations` creates both; a test holds them equal."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text, UniqueConstraint

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

SLA_MONTHS: Final = Table(
    "sla_months",
    METADATA,
    Column("pipeline", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("body", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("signed_by", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("signed_ms", BigInteger, nullable=False),
    Column("seal", Text, nullable=False, server_default=""),
)
"""Signed months: `body` is canonical JSON, `sha256` its digest, `seal` the digest of all of that (`fairlane.sla.seal`; "" for months older than seals). Rows are never changed or deleted."""

API_KEYS: Final = Table(
    "api_keys",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    Column("used_ms", BigInteger),
)
"""Keys of the web app, by their visible part; `digest` is the SHA-256 of the secret part, which nobody keeps. Nothing is deleted."""

AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
)
"""Who changed what: a chain of hashes (`fairlane.auth.chain`). Triggers refuse to change or delete a row, or to add one out of order."""

AUDIT_HEAD: Final = Table(
    "audit_head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)
"""One row: the newest entry's number and hash. Writers lock it, so that there is one chain; triggers let it go forward only."""

PAGER_STANDING: Final = Table(
    "pager_standing",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("episode", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)
"""The alerts that have fired and not ended; an episode is one firing."""

PAGER_OUTBOX: Final = Table(
    "pager_outbox",
    METADATA,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("episode", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("sent_ms", BigInteger),
    Column("error", Text, nullable=False),
    UniqueConstraint("episode", "kind", "channel", name="pager_outbox_once"),
    Index("pager_outbox_waiting", "sent_ms", "due_ms"),
)
"""What is to be told, once for each episode, kind (`firing`, `resolved`) and channel; never a secret."""

PAGER_LEASE: Final = Table(
    "pager_lease",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)
"""Which process pages: one for a database."""

PAGER_MEMORY: Final = Table(
    "pager_memory",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)
"""The newest samples of what must not be forgotten with a restart."""

EVENT_TYPES: Final = Table(
    "event_types",
    METADATA,
    Column("pipeline", Text, primary_key=True),
    Column("type", Text, primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("events", BigInteger, nullable=False),
    Column("nulls", BigInteger, nullable=False),
    Column("duplicates", BigInteger, nullable=False),
    Column("late", BigInteger, nullable=False),
    Index("event_types_at", "at"),
)
"""Taken events by type and step of ten minutes (added): what data quality is judged by."""
