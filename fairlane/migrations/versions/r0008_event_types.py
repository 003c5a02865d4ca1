"""Counts of event types."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "event_types",
        sa.Column("pipeline", sa.Text, primary_key=True),
        sa.Column("type", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("events", "nulls", "duplicates", "late")),
    )
    op.create_index("event_types_at", "event_types", ["at"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("event_types")
