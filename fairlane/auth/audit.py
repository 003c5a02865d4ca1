"""The audit log: every change that a person or a program made, one chain in the database. Rooms that change something call `record`.

    AuditLog(engine, clock).record(Deed("sla.sign", "2026-10", details={"pipeline": "events"}))

Who did it is the identity in force (`fairlane.auth.identity`). Where nobody has to say who they are, `Deed.by` is what they called themselves.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

import orjson
from sqlalchemy import Connection, Engine, select, update

from fairlane.auth import chain
from fairlane.auth.chain import Entry, Head, Link
from fairlane.auth.identity import current, os_user
from fairlane.schema import AUDIT, AUDIT_HEAD
from slo.clock import Clock, SystemClock
from slo.errors import AuditBroken
from slo.sql import Beside, writer

UNKNOWN: Final = "unauthenticated"
"""`via` of an entry whose actor is only what somebody called themselves."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did: `action` in dotted words (`move`, `key.create`, `sla.sign`), to what, and how it ended (`ok`, `refused`, `failed`)."""

    action: str
    target: str = ""
    outcome: str = "ok"
    details: Mapping[str, str] = field(default_factory=dict)
    by: str = ""


def entry_of(deed: Deed, at_ms: int) -> Entry:
    """The deed as an entry (without its number): who acts now, texts cleaned; details without a value are left out."""
    who = current()
    name, via = (who.name, who.via) if who else (deed.by or os_user(), UNKNOWN)
    details = {key: chain.clean(value) for key, value in deed.details.items() if value}
    if who and deed.by and deed.by != who.name:
        # what was written in a field for a name is not who it was
        details["said_by"] = chain.clean(deed.by)
    actor, via, action, target, outcome = map(chain.clean, (name, via, deed.action, deed.target, deed.outcome))
    return Entry(0, at_ms, actor, via, action, target, outcome, details)


def append(conn: Connection, entry: Entry) -> Link:
    """Add an entry within a transaction that writes (`slo.sql.writer`): other writers wait until it ends, so there is one chain.

    Raises AuditBroken when the head is gone: without it nothing may be added.
    """
    found = conn.execute(select(AUDIT_HEAD.c.seq, AUDIT_HEAD.c.hash).with_for_update()).one_or_none()
    if found is None:
        raise AuditBroken("the audit log has lost its head (table audit_head is empty): run `fairlane audit verify`")
    link = chain.link(entry, Head(found.seq, found.hash))
    conn.execute(AUDIT.insert().values(_row(link)))
    conn.execute(update(AUDIT_HEAD).values(seq=link.entry.seq, hash=link.hash))
    return link


def noted(deed: Deed, at_ms: int) -> Beside:
    """Writes the deed down within the transaction of what was done, as whoever acts now: none of the two can be without the other. Raises as `append`."""
    entry = entry_of(deed, at_ms)
    return lambda conn: append(conn, entry)


class AuditLog:
    """The log in a database."""

    def __init__(self, engine: Engine, clock: Clock | None = None) -> None:
        self._read = engine
        self._write = writer(engine)
        self._clock = clock or SystemClock()

    def record(self, deed: Deed) -> Link:
        """Write it down. Raises AuditBroken as `append`, and SQLAlchemy's errors."""
        return self.add([entry_of(deed, int(self._clock.now() * 1000))])[0]

    def add(self, entries: list[Entry]) -> list[Link]:
        """Write entries down in one transaction. Raises as `record`."""
        with self._write.begin() as conn:
            return [append(conn, entry) for entry in entries]

    def newest(self, limit: int, *, action: str = "", actor: str = "", since_ms: int = 0) -> list[Link]:
        """The newest entries first; `action` also matches those below it (`key` matches `key.create`)."""
        wanted = select(AUDIT).where(AUDIT.c.at_ms >= since_ms).order_by(AUDIT.c.seq.desc()).limit(limit)
        if action:
            below = AUDIT.c.action.startswith(f"{action}.", autoescape=True)
            wanted = wanted.where((AUDIT.c.action == action) | below)
        if actor:
            wanted = wanted.where(AUDIT.c.actor == actor)
        with self._read.connect() as conn:
            return [_link(row) for row in conn.execute(wanted)]

    def links(self) -> Iterator[Link]:
        """Every entry, oldest first, without holding them all."""
        with self._read.connect() as conn:
            yield from _all(conn)

    def head(self) -> Head | None:
        """What is kept of the newest entry; None when that is gone."""
        with self._read.connect() as conn:
            return _head(conn)

    def fault(self, anchors: Mapping[int, str] | None = None) -> tuple[str, Head | None]:
        """What is wrong and where ("" when nothing is), and the head, both of one moment: writers may go on."""
        snapshot = self._read
        if snapshot.dialect.name == "postgresql":
            snapshot = snapshot.execution_options(isolation_level="REPEATABLE READ")
        with snapshot.connect() as conn:
            head = _head(conn)
            if head is None:
                return "the kept head is gone (table audit_head is empty): the end cannot be trusted", None
            with closing(_all(conn)) as links:
                try:
                    return chain.fault(links, head, anchors), head
                except ValueError as error:
                    return str(error), head


def _all(conn: Connection) -> Generator[Link]:
    with conn.execution_options(yield_per=1000).execute(select(AUDIT).order_by(AUDIT.c.seq)) as rows:
        yield from map(_link, rows)


def _head(conn: Connection) -> Head | None:
    found = conn.execute(select(AUDIT_HEAD.c.seq, AUDIT_HEAD.c.hash)).one_or_none()
    return None if found is None else Head(found.seq, found.hash)


def _row(link: Link) -> dict[str, object]:
    one = link.entry
    return {
        "seq": one.seq,
        "at_ms": one.at_ms,
        "actor": one.actor,
        "via": one.via,
        "action": one.action,
        "target": one.target,
        "outcome": one.outcome,
        "details": orjson.dumps(one.details, option=orjson.OPT_SORT_KEYS).decode(),
        "previous": link.previous,
        "hash": link.hash,
    }


def _link(row: object) -> Link:
    values = row._mapping  # type: ignore[attr-defined] # a Row of SQLAlchemy: its documented way to columns by name  # noqa: SLF001
    try:
        details = orjson.loads(values["details"])
    except orjson.JSONDecodeError as error:
        raise ValueError(f"entry {values['seq']}: it was edited: its details are no JSON") from error
    actor, via, action, target, outcome = (values[name] for name in ("actor", "via", "action", "target", "outcome"))
    entry = Entry(values["seq"], values["at_ms"], actor, via, action, target, outcome, details)
    return Link(entry, values["previous"], values["hash"])
