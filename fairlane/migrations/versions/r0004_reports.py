"""Day sums, bad minutes, announced maintenance, signed months."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_COUNTS = ("good", "total", "expected", "observed")


def upgrade() -> None:
    """Create the tables."""
    counts = [sa.Column(name, sa.BigInteger, nullable=False) for name in _COUNTS]
    op.create_table(
        "days",
        sa.Column("slo", sa.Text, primary_key=True),
        sa.Column("zone", sa.Text, primary_key=True),
        sa.Column("day", sa.Text, primary_key=True),
        *counts,
    )
    op.create_table(
        "bad_steps",
        sa.Column("slo", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("step_s", sa.Integer, nullable=False),
        sa.Column("good", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "adjustments",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("slo", sa.Text, nullable=False),
        sa.Column("begin_s", sa.BigInteger, nullable=False),
        sa.Column("end_s", sa.BigInteger, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("recorded_ms", sa.BigInteger, nullable=False),
        sa.Column("cancelled_ms", sa.BigInteger),
        sa.Column("cancelled_by", sa.Text, nullable=False),
        sa.Column("cancelled_why", sa.Text, nullable=False),
    )
    op.create_table(
        "exclusions",
        sa.Column("adjustment", sa.Text, primary_key=True),
        sa.Column("slo", sa.Text, primary_key=True),
        sa.Column("zone", sa.Text, primary_key=True),
        sa.Column("day", sa.Text, primary_key=True),
        *[sa.Column(name, sa.BigInteger, nullable=False) for name in _COUNTS],
    )
    op.create_table(
        "sla_months",
        sa.Column("pipeline", sa.Text, primary_key=True),
        sa.Column("month", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("signed_by", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("signed_ms", sa.BigInteger, nullable=False),
    )
