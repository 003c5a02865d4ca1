"""The first tables: slices, evaluations, series, the booking's state, verdicts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "slices",
        sa.Column("slo", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("step_s", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("good", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("expected", sa.BigInteger, nullable=False),
        sa.Column("observed", sa.BigInteger, nullable=False),
    )
    op.create_index("slices_at", "slices", ["at"])
    op.create_table(
        "booked",
        sa.Column("slo", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("good", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("expected", sa.BigInteger, nullable=False),
        sa.Column("observed", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "totals",
        sa.Column("slo", sa.Text, primary_key=True),
        sa.Column("born", sa.BigInteger, nullable=False),
        sa.Column("good", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("expected", sa.BigInteger, nullable=False),
        sa.Column("observed", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "evaluations",
        sa.Column("slo", sa.Text, primary_key=True),
        sa.Column("pipeline", sa.Text, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("since_ms", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("exhaustion_s", sa.Float),
        sa.Column("budget_left", sa.Float, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "transitions",
        sa.Column("slo", sa.Text, primary_key=True),
        sa.Column("at_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
    )
    op.create_table(
        "series",
        sa.Column("pipeline", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("at_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("value", sa.Float, nullable=False),
    )
    op.create_index("series_at_ms", "series", ["at_ms"])
    op.create_table(
        "live",
        sa.Column("pipeline", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "booking_offsets",
        sa.Column("pipeline", sa.Text, primary_key=True),
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("cluster", sa.Text, nullable=False),
        sa.Column("next", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "booking_marks",
        sa.Column("pipeline", sa.Text, primary_key=True),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "minute_counts",
        sa.Column("pipeline", sa.Text, primary_key=True),
        sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("lane", sa.Text, primary_key=True),
        sa.Column("population", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
    )
    op.create_index("minute_counts_minute", "minute_counts", ["minute"])
    op.create_table(
        "minute_offsets",
        sa.Column("pipeline", sa.Text, primary_key=True),
        sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("offsets", sa.BigInteger, nullable=False),
    )
    op.create_index("minute_offsets_minute", "minute_offsets", ["minute"])
    op.create_table(
        "minute_seconds",
        sa.Column("pipeline", sa.Text, primary_key=True),
        sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sli", sa.Text, primary_key=True),
        sa.Column("observed", sa.BigInteger, nullable=False),
        sa.Column("bad", sa.BigInteger, nullable=False),
    )
    op.create_index("minute_seconds_minute", "minute_seconds", ["minute"])
    op.create_table(
        "verdicts",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("pipeline", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("verdicts_pipeline_at_ms", "verdicts", ["pipeline", "at_ms"])


def downgrade() -> None:
    """Drop them."""
    for table in (
        "verdicts",
        "minute_seconds",
        "minute_offsets",
        "minute_counts",
        "booking_marks",
        "booking_offsets",
        "live",
        "series",
        "transitions",
        "evaluations",
        "totals",
        "booked",
        "slices",
    ):
        op.drop_table(table)
