"""What revisions took back of an objective's sums: the counters for Prometheus do not go back, after a restart either."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_NAMES = ("revised", "revised_late", "unseen")


def upgrade() -> None:
    """Add the columns; what was revised before is in no counter that still runs."""
    for name in _NAMES:
        op.add_column("totals", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop them."""
    for name in _NAMES:
        op.drop_column("totals", name)
