"""Alembic's entry: migrates on the connection that `fairlane.database` hands over, inside its transaction."""

from alembic import context

from fairlane.schema import METADATA as SHELL
from slo.schema import METADATA as SLO

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=[SLO, SHELL],
    transactional_ddl=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
