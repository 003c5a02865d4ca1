"""What was done is in the chain, at once or as soon as the database is back: once, in order, and never in the way of what is done."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from sqlalchemy import Engine

from fairlane.auth.audit import AuditLog, Deed, entry_of
from fairlane.auth.chain import Entry
from fairlane.auth.identity import Identity, acting
from fairlane.auth.role import Role
from fairlane.auth.spool import NAME, Spool
from fairlane.auth.trail import AuditedDesk, Trail
from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import Action, Command
from slo.clock import ManualClock
from slo.errors import Conflict, FairlaneError, NoController, Unreachable
from tests.support.desk import KeptDesk

NOW = 1_800_000_000.0
ANN = Identity("ann", frozenset({Role.OPERATOR}), "proxy")


class Switch:
    """A database that can be away."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.away = False

    @contextmanager
    def use(self) -> Iterator[Engine]:
        if self.away:
            raise Unreachable("it is away")
        yield self.engine


@pytest.fixture
def database(engine: Engine) -> Switch:
    return Switch(engine)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def trail(database: Switch, tmp_path: Path, clock: ManualClock) -> Trail:
    return Trail(database.use, Spool(tmp_path), clock)


def told(engine: Engine) -> list[tuple[str, str, str]]:
    return [(one.entry.target, one.entry.outcome, one.entry.actor) for one in AuditLog(engine).links()]


def test_what_could_not_be_written_is_written_later_in_its_order(
    trail: Trail, database: Switch, clock: ManualClock, tmp_path: Path
) -> None:
    database.away = True
    with acting(ANN):
        trail.record(Deed("mode", "off"))
        clock.advance(5)
        trail.record(Deed("move", "t1"))
    assert told(database.engine) == []
    assert (tmp_path / NAME).stat().st_mode & 0o077 == 0
    database.away = False
    clock.advance(100)
    trail.record(Deed("move", "t2", by="bob"))
    assert told(database.engine) == [("off", "ok", "ann"), ("t1", "ok", "ann"), ("t2", "ok", "bob")]
    times = [one.entry.at_ms for one in AuditLog(database.engine).links()]
    assert times == [int(1000 * (NOW + s)) for s in (0, 5, 105)], "each keeps its time"
    assert not (tmp_path / NAME).exists()
    assert AuditLog(database.engine).fault()[0] == ""


def test_a_process_that_dies_between_writing_and_forgetting_writes_nothing_twice(
    trail: Trail, database: Switch, tmp_path: Path
) -> None:
    database.away = True
    trail.record(Deed("mode", "off", by="ann"))
    kept = (tmp_path / NAME).read_bytes()
    database.away = False
    assert trail.catch_up(database.engine) == 1
    (tmp_path / NAME).write_bytes(kept)
    assert trail.catch_up(database.engine) == 1
    assert told(database.engine) == [("off", "ok", "ann")]


def test_a_torn_line_is_kept_as_what_can_be_read_of_it(trail: Trail, database: Switch, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b'{"seq":0,"at_ms"')
    trail.record(Deed("move", "t", by="ann"))
    actions = [(one.entry.action, one.entry.details.get("line")) for one in AuditLog(database.engine).links()]
    assert actions == [("audit.torn", '{"seq":0,"at_ms"'), ("move", None)]


def test_not_even_a_full_disk_stands_in_the_way(
    database: Switch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database.away = True
    (tmp_path / "file").write_text("no directory")
    Trail(database.use, Spool(tmp_path / "file"), ManualClock(NOW)).record(Deed("mode", "off", by="ann"))
    assert '"action":"mode","actor":"ann"' in caplog.text, "the process's log has it"


def test_entries_that_cannot_be_put_stay_in_the_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.keep(entry_of(Deed("move", "t", by="ann"), 1))

    def broken(_: list[Entry]) -> None:
        raise Unreachable("again")

    with pytest.raises(Unreachable):
        spool.empty(broken)
    seen: list[Entry] = []
    assert spool.empty(seen.extend) == 1
    assert seen[0].target == "t"
    assert spool.empty(seen.extend) == 0


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "ok"),
        (Conflict("it is protected"), "refused"),
        (NoController("nobody"), "failed"),
        (FairlaneError("x"), "failed"),
    ],
    ids=["done", "refused", "unanswered", "broken"],
)
def test_every_command_is_recorded_with_what_came_of_it(
    trail: Trail, database: Switch, error: FairlaneError | None, outcome: str
) -> None:
    desk = KeptDesk()
    desk.error, desk.verdict_id = error, "v1"
    wanted = Command(
        "events", int(NOW * 1000), "c1", Action.MOVE, "web", "import", "t1", Lane.OVERFLOW, "", int(NOW * 1000) + 60_000
    )
    expected_error = pytest.raises(type(error)) if error else nullcontext()
    with acting(ANN), expected_error:
        AuditedDesk(desk, trail).send(wanted)
    (one,) = AuditLog(database.engine).newest(9)
    entry = one.entry
    assert (entry.action, entry.target, entry.outcome, entry.actor, entry.via) == (
        "move",
        "t1",
        outcome,
        "ann",
        "proxy",
    )
    expected = {
        "pipeline": "events",
        "lane": "overflow",
        "reason": "import",
        "until": "2027-01-15T08:01:00Z",
        "command": "c1",
        "said_by": "web",
    }
    answer = {"answer": str(error)} if error else {"answer": "as you wish", "verdict": "v1"}
    assert entry.details == expected | answer
