"""What stands and what is to be told, in the database: written together, so that neither a crash nor a second process tells anything twice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import orjson
from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from fairlane.pager.channels import Channel
from fairlane.pager.finding import Finding, Round, heard
from fairlane.pager.notice import Kind, Notice, decode, encode
from fairlane.schema import PAGER_OUTBOX as OUTBOX
from fairlane.schema import PAGER_STANDING as STANDING
from slo.sql import writer

KEEP_MS: Final = 30 * 86_400_000
"""Sent messages are kept so long; unsent ones as well, then they are given up."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert that has fired and not ended."""

    finding: Finding
    episode: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that waits for a channel."""

    seq: int
    channel: str
    notice: Notice
    attempts: int
    due_ms: int
    error: str


class Outbox:
    """Standing alerts and letters. Stateless beside the database: any process may use it at any time."""

    def __init__(
        self, engine: Engine, channels: Sequence[Channel], episode: Callable[[], str] = lambda: uuid4().hex
    ) -> None:
        self._read = engine
        self._write = writer(engine)
        self._channels = tuple(channels)
        self._episode = episode

    def standing(self) -> dict[str, Standing]:
        """By key."""
        with self._read.connect() as conn:
            rows = conn.execute(select(STANDING).order_by(STANDING.c.since_ms)).all()
        return {row.key: Standing(decode(row.body), row.episode, row.since_ms) for row in rows}

    def book(self, found: Round, now_ms: int) -> tuple[list[Notice], list[Notice]]:
        """Note what begins and what ends, each with its letters; returns both. What is frozen, or silenced by a louder alert, neither begins nor ends."""
        standing, audible = self.standing(), heard(found.findings)
        silenced = {one.key for one in found.findings} - set(audible)
        begun, ended = [], []
        with self._write.begin() as conn:
            for key, finding in audible.items():
                if key not in standing and not found.frozen(key):
                    notice = Notice(finding, self._episode(), Kind.FIRING, now_ms)
                    if self._stand(conn, notice):
                        begun.append(notice)
            for key, one in standing.items():
                if key not in audible and key not in silenced and not found.frozen(key):
                    gone = delete(STANDING).where(STANDING.c.key == key, STANDING.c.episode == one.episode)
                    if conn.execute(gone).rowcount:
                        ended.append(
                            Notice(one.finding, one.episode, Kind.RESOLVED, one.since_ms, max(now_ms, one.since_ms))
                        )
            for notice in (*begun, *ended):
                self._post(conn, notice, now_ms)
        return begun, ended

    def waiting(self) -> list[Letter]:
        """Unsent letters, oldest first."""
        with self._read.connect() as conn:
            rows = conn.execute(select(OUTBOX).where(OUTBOX.c.sent_ms.is_(None)).order_by(OUTBOX.c.seq)).all()
        return [_letter(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """Unsent letters by channel."""
        query = select(OUTBOX.c.channel, func.count()).where(OUTBOX.c.sent_ms.is_(None)).group_by(OUTBOX.c.channel)
        with self._read.connect() as conn:
            return {one.name: 0 for one in self._channels} | {str(name): int(n) for name, n in conn.execute(query)}

    def trying(self, letter: Letter, due_ms: int) -> None:
        """It is about to be sent; should this process die now, it is tried again at `due_ms`."""
        self._set(letter.seq, attempts=letter.attempts + 1, due_ms=due_ms)

    def failed(self, letter: Letter, due_ms: int, error: str) -> None:
        """It was not taken: why, and when it is tried again."""
        self._set(letter.seq, due_ms=due_ms, error=error)

    def sent(self, letter: Letter, now_ms: int) -> None:
        """It has arrived."""
        self._set(letter.seq, sent_ms=now_ms, error="")

    def forget(self, now_ms: int) -> int:
        """Drop what is older than KEEP_MS; returns how many unsent ones were given up."""
        old = OUTBOX.c.made_ms < now_ms - KEEP_MS
        with self._write.begin() as conn:
            conn.execute(delete(OUTBOX).where(old, OUTBOX.c.sent_ms.is_not(None)))
            return conn.execute(delete(OUTBOX).where(old)).rowcount

    def _stand(self, conn: Connection, notice: Notice) -> bool:
        """False when another process was first."""
        dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
        row = {
            "key": notice.finding.key,
            "episode": notice.episode,
            "since_ms": notice.since_ms,
            "body": encode(notice.finding),
        }
        new = dialect.insert(STANDING).values(row).on_conflict_do_nothing().returning(STANDING.c.key)
        return conn.execute(new).first() is not None

    def _post(self, conn: Connection, notice: Notice, now_ms: int) -> None:
        rows = [
            {
                "episode": notice.episode,
                "kind": str(notice.kind),
                "channel": channel.name,
                "key": notice.finding.key,
                "body": _body(notice),
                "made_ms": now_ms,
                "due_ms": now_ms,
                "attempts": 0,
                "error": "",
            }
            for channel in self._channels
            if channel.takes(notice.finding.tier)
        ]
        if rows:
            conn.execute(insert(OUTBOX), rows)

    def _set(self, seq: int, **values: object) -> None:
        with self._write.begin() as conn:
            conn.execute(update(OUTBOX).where(OUTBOX.c.seq == seq).values(**values))


def _body(notice: Notice) -> str:
    times = {"since_ms": notice.since_ms, "until_ms": notice.until_ms}
    return orjson.dumps({**times, "finding": encode(notice.finding)}).decode()


def _letter(row: Row[Any]) -> Letter:
    body = orjson.loads(row.body)
    notice = Notice(decode(body["finding"]), row.episode, Kind(row.kind), body["since_ms"], body["until_ms"])
    return Letter(row.seq, row.channel, notice, row.attempts, row.due_ms, row.error)
