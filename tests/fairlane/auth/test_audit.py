"""The audit log in SQLite and PostgreSQL: append-only by the database itself, one chain whoever writes, and every harm found."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from fairlane.auth.audit import AuditLog, Deed
from fairlane.auth.chain import Head
from fairlane.auth.identity import Identity, acting
from fairlane.auth.role import Role
from slo.clock import ManualClock
from slo.errors import AuditBroken

ANN = Identity("ann", frozenset({Role.OPERATOR}), "key:0123456789ab")


@pytest.fixture
def log(engine: Engine) -> AuditLog:
    return AuditLog(engine, ManualClock(1_800_000_000.0))


@contextmanager
def harming(engine: Engine) -> Iterator[Connection]:
    """A connection of somebody who owns the database and has put the triggers out of action."""
    with engine.execution_options(write=True).begin() as conn:
        if engine.dialect.name == "postgresql":
            conn.execute(text("SET LOCAL session_replication_role = 'replica'"))
        else:
            names = conn.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            for name in names:
                conn.execute(text(f"DROP TRIGGER {name}"))
        yield conn


def filled(log: AuditLog, count: int = 5) -> None:
    with acting(ANN):
        for n in range(count):
            log.record(Deed("move", f"t{n}", details={"reason": f"because {n}"}))


def test_an_entry_says_who_what_and_how_it_ended(log: AuditLog) -> None:
    with acting(ANN):
        log.record(Deed("move", "t1", "refused", {"reason": "x\x00y\ud800", "empty": ""}, by="somebody else"))
    (one,) = log.newest(10)
    entry = one.entry
    assert (entry.seq, entry.at_ms, entry.actor, entry.via) == (1, 1_800_000_000_000, "ann", "key:0123456789ab")
    assert (entry.action, entry.target, entry.outcome) == ("move", "t1", "refused")
    assert entry.details == {"reason": "x�y?", "said_by": "somebody else"}
    assert log.fault() == ("", log.head())


def test_without_an_identity_it_is_what_they_called_themselves_and_says_so(log: AuditLog) -> None:
    log.record(Deed("mode", "off", by="bob"))
    assert [(e.entry.actor, e.entry.via) for e in log.newest(1)] == [("bob", "unauthenticated")]


def test_the_newest_come_first_and_can_be_narrowed(log: AuditLog) -> None:
    filled(log, 3)
    log.record(Deed("key.create", "k", by="root"))
    log.record(Deed("keychain", "k", by="root"))
    assert [e.entry.seq for e in log.newest(2)] == [5, 4]
    assert [e.entry.action for e in log.newest(9, action="key")] == ["key.create"]
    assert [e.entry.target for e in log.newest(9, actor="ann")] == ["t2", "t1", "t0"]
    assert log.newest(9, since_ms=1_800_000_000_001) == []


def test_an_empty_log_is_sound(log: AuditLog) -> None:
    assert log.fault() == ("", Head())


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE audit SET actor = 'eve' WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 5",
        "DELETE FROM audit",
        "INSERT INTO audit SELECT seq + 7, at_ms, actor, via, action, target, outcome, details, previous, hash FROM audit WHERE seq = 5",
        "UPDATE audit_head SET seq = 4",
        "UPDATE audit_head SET hash = 'x'",
        "DELETE FROM audit_head",
        "INSERT INTO audit_head VALUES (2, 9, 'x')",
    ],
)
def test_the_database_itself_refuses_to_change_the_past(engine: Engine, log: AuditLog, harm: str) -> None:
    filled(log)
    with pytest.raises(SQLAlchemyError, match="append-only"), engine.execution_options(write=True).begin() as conn:
        conn.execute(text(harm))
    assert log.fault()[0] == ""


def test_nor_can_a_row_be_replaced_or_all_be_truncated(engine: Engine, log: AuditLog) -> None:
    filled(log)
    harm = {
        "sqlite": "INSERT OR REPLACE INTO audit VALUES (2, 0, 'eve', '', '', '', '', '{}', '', '')",
        "postgresql": "TRUNCATE audit, audit_head",
    }[engine.dialect.name]
    with pytest.raises(SQLAlchemyError, match="append-only"), engine.execution_options(write=True).begin() as conn:
        conn.execute(text(harm))
    assert log.fault()[0] == ""


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (
            "UPDATE audit SET actor = 'eve' WHERE seq = 2",
            "entry 2 (2027-01-15T08:00:00Z, move t1 by eve): it was edited",
        ),
        ("UPDATE audit SET details = 'x' WHERE seq = 3", "entry 3: it was edited: its details are no JSON"),
        ("DELETE FROM audit WHERE seq = 1", "entry 1 is missing"),
        ("DELETE FROM audit WHERE seq = 3", "entry 3 is missing"),
        ("DELETE FROM audit WHERE seq > 3", "after entry 3: the newest 2 entries are missing"),
        ("DELETE FROM audit", "after entry 0: the newest 5 entries are missing"),
        ("UPDATE audit SET seq = 11 - seq WHERE seq IN (5)", "entries were removed or reordered here"),
        ("UPDATE audit_head SET seq = 4", "entry 5: it is not what the kept head says"),
        ("DELETE FROM audit_head", "the kept head is gone"),
    ],
)
def test_whoever_goes_around_that_is_found_out(engine: Engine, log: AuditLog, harm: str, said: str) -> None:
    filled(log)
    with harming(engine) as conn:
        conn.execute(text(harm))
    assert said in log.fault()[0]


def test_two_entries_that_changed_places_are_found(engine: Engine, log: AuditLog) -> None:
    filled(log)
    with harming(engine) as conn:
        for old, new in ((2, 99), (4, 2), (99, 4)):
            conn.execute(text(f"UPDATE audit SET seq = {new} WHERE seq = {old}"))
    assert log.fault()[0].startswith("entry 2 (")


def test_without_its_head_nothing_more_is_written(engine: Engine, log: AuditLog) -> None:
    filled(log)
    with harming(engine) as conn:
        conn.execute(text("DELETE FROM audit_head"))
    with pytest.raises(AuditBroken, match="lost its head"):
        log.record(Deed("move", "t"))


def test_many_writers_at_once_make_one_chain(engine: Engine, log: AuditLog) -> None:
    failed: list[Exception] = []

    def write(name: str) -> None:
        own = AuditLog(engine)
        try:
            for n in range(15):
                with acting(Identity(name, frozenset(), "os")):
                    own.record(Deed("move", str(n)))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    # whoever verifies meanwhile sees a sound log of some moment
    seen = [log.fault() for _ in range(5)]
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert [wrong for wrong, _ in seen if wrong] == []
    wrong, head = log.fault()
    assert (wrong, head and head.seq) == ("", 90)
    for name in ("w0", "w5"):
        mine = [int(one.entry.target) for one in log.links() if one.entry.actor == name]
        assert mine == list(range(15)), "each writer's own order is kept"
