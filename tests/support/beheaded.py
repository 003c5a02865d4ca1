"""An audit log that takes no entry, for tests of what must not be done unseen."""

from sqlalchemy import Engine, text

from fairlane.schema import AUDIT_HEAD


def behead(engine: Engine) -> None:
    """Lose the head of the log in an SQLite database: from now on appending raises AuditBroken."""
    named = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_head'"
    with engine.begin() as conn:
        for name in conn.execute(text(named)).scalars().all():
            conn.execute(text(f"DROP TRIGGER {name}"))
        conn.execute(AUDIT_HEAD.delete())
