"""Keys, and the audit log with what keeps it append-only."""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

REFUSED = "the audit log is append-only"


def sqlite() -> Iterator[str]:
    """Its triggers. The one on INSERT also keeps INSERT OR REPLACE out, which fires no trigger on DELETE."""
    triggers = (
        ("audit_no_update", "UPDATE ON audit"),
        ("audit_no_delete", "DELETE ON audit"),
        ("audit_in_order", "INSERT ON audit WHEN NEW.seq IS NOT (SELECT seq + 1 FROM audit_head)"),
        ("audit_head_forward", "UPDATE ON audit_head WHEN NEW.id IS NOT OLD.id OR NEW.seq IS NOT OLD.seq + 1"),
        ("audit_head_stays", "DELETE ON audit_head"),
        ("audit_head_one", "INSERT ON audit_head"),
    )
    for name, when in triggers:
        yield f"CREATE TRIGGER {name} BEFORE {when} BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"


def postgresql() -> Iterator[str]:
    """Its functions and triggers; TRUNCATE is refused too."""
    functions = (
        ("audit_closed", f"RAISE EXCEPTION '{REFUSED}';"),
        ("audit_in_order", _unless("NEW.seq IS DISTINCT FROM (SELECT seq + 1 FROM audit_head)")),
        ("audit_forward", _unless("NEW.id <> OLD.id OR NEW.seq <> OLD.seq + 1")),
    )
    for name, body in functions:
        yield f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"
    triggers = (
        ("audit_append_only", "UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT", "audit_closed"),
        ("audit_in_order", "INSERT ON audit FOR EACH ROW", "audit_in_order"),
        ("audit_head_stays", "INSERT OR DELETE OR TRUNCATE ON audit_head FOR EACH STATEMENT", "audit_closed"),
        ("audit_head_forward", "UPDATE ON audit_head FOR EACH ROW", "audit_forward"),
    )
    for name, when, function in triggers:
        yield f"CREATE TRIGGER {name} BEFORE {when} EXECUTE FUNCTION {function}()"


def _unless(wrong: str) -> str:
    return f"IF {wrong} THEN RAISE EXCEPTION '{REFUSED}'; END IF; RETURN NEW;"


def upgrade() -> None:
    """Create them; from here on the database itself refuses to change what was logged."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("expires_ms", sa.BigInteger),
        sa.Column("revoked_ms", sa.BigInteger),
        sa.Column("used_ms", sa.BigInteger),
    )
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("via", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "seq": 0, "hash": "0" * 64}])
    for statement in postgresql() if op.get_bind().dialect.name == "postgresql" else sqlite():
        op.execute(statement)
