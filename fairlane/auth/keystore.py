"""Keys in the database. Creating and revoking is written to the audit log in the same transaction."""

from collections.abc import Collection, Mapping

from sqlalchemy import Engine, Row, select, update

from fairlane.auth import keys
from fairlane.auth.audit import Deed, append, entry_of
from fairlane.auth.chain import utc
from fairlane.auth.identity import MOST_NAME, current, os_user
from fairlane.auth.keys import ApiKey
from fairlane.auth.role import Role, said
from fairlane.schema import API_KEYS
from slo.errors import NotFound, UsageError
from slo.sql import writer


class KeyStore:
    """All keys ever made; nothing is deleted."""

    def __init__(self, engine: Engine) -> None:
        self._read = engine
        self._write = writer(engine)

    def create(
        self, name: str, roles: Collection[Role], now_ms: int, expires_ms: int | None = None
    ) -> tuple[ApiKey, str]:
        """A new key for `name`, and its text, which can never be shown again.

        Raises UsageError for a name that is none, no role at all, or a key that is over before it begins.
        """
        if not name.strip() or len(name) > MOST_NAME or not name.isprintable():
            raise UsageError(f"a key needs the name of who will use it, up to {MOST_NAME} printable characters")
        if not roles:
            raise UsageError(f"a key needs a role: {', '.join(Role)}")
        if expires_ms is not None and expires_ms <= now_ms:
            raise UsageError("a key cannot have expired before it is made")
        who = current()
        key_id, text, digest = keys.mint()
        made = ApiKey(
            key_id, name.strip(), frozenset(roles), digest, now_ms, who.name if who else os_user(), expires_ms
        )
        until = "" if expires_ms is None else utc(expires_ms)
        deed = Deed("key.create", key_id, details={"name": made.name, "roles": said(made.roles), "until": until})
        with self._write.begin() as conn:
            conn.execute(
                API_KEYS.insert().values(
                    id=made.id,
                    name=made.name,
                    roles=",".join(sorted(made.roles)),
                    digest=made.digest,
                    created_ms=made.created_ms,
                    created_by=made.created_by,
                    expires_ms=made.expires_ms,
                )
            )
            append(conn, entry_of(deed, now_ms))
        return made, text

    def revoke(self, key_id: str, now_ms: int) -> ApiKey:
        """End a key now. Raises NotFound for one that is not there or is revoked already."""
        with self._write.begin() as conn:
            there = (API_KEYS.c.id == key_id, API_KEYS.c.revoked_ms.is_(None))
            if conn.execute(update(API_KEYS).where(*there).values(revoked_ms=now_ms)).rowcount != 1:
                raise NotFound(
                    f"there is no key '{key_id}' that could be revoked; `fairlane keys list` shows them (its first column)"
                )
            ended = _key(conn.execute(select(API_KEYS).where(API_KEYS.c.id == key_id)).one())
            append(conn, entry_of(Deed("key.revoke", key_id, details={"name": ended.name}), now_ms))
        return ended

    def find(self, key_id: str) -> ApiKey | None:
        """One of them; None when there is none."""
        with self._read.connect() as conn:
            row = conn.execute(select(API_KEYS).where(API_KEYS.c.id == key_id)).one_or_none()
            return None if row is None else _key(row)

    def all(self) -> list[ApiKey]:
        """Every key ever, newest first."""
        with self._read.connect() as conn:
            rows = conn.execute(select(API_KEYS).order_by(API_KEYS.c.created_ms.desc(), API_KEYS.c.id))
            return [_key(row) for row in rows]

    def used(self, when: Mapping[str, int]) -> None:
        """Note when keys were last used: id to Unix ms."""
        with self._write.begin() as conn:
            for key_id, at_ms in when.items():
                conn.execute(update(API_KEYS).where(API_KEYS.c.id == key_id).values(used_ms=at_ms))


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    one = row._mapping  # noqa: SLF001 - SQLAlchemy's documented way to columns by name
    known = set(Role)
    return ApiKey(
        one["id"],
        one["name"],
        # a role that this build does not know gives nothing
        frozenset(Role(word) for word in one["roles"].split(",") if word in known),
        one["digest"],
        one["created_ms"],
        one["created_by"],
        one["expires_ms"],
        one["revoked_ms"],
        one["used_ms"],
    )
