"""The projection port: what is written is kept, replaced by id, and never in the way."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from sqlalchemy import Engine, create_engine, text

from isolator import projection as module
from isolator.projection import QUEUE, MemoryProjection, NoProjection, Projection, SqlProjection, prune
from isolator.verdict import Reason, Verdict, VerdictKind

TABLE = "CREATE TABLE verdicts (id TEXT PRIMARY KEY, pipeline TEXT, token TEXT, kind TEXT, at_ms BIGINT, body TEXT)"
VERDICT = Verdict("v1", "p", "t", VerdictKind.MOVE, Reason.NOISY_TENANT, 1_000)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    one = create_engine(f"sqlite:///{tmp_path}/p.db")
    with one.begin() as connection:
        connection.execute(text(TABLE))
    yield one
    one.dispose()


def rows(engine: Engine) -> list[tuple[str, str]]:
    with engine.connect() as connection:
        return [
            (r[0], orjson.loads(r[1])["ratio"])
            for r in connection.execute(text("SELECT id, body FROM verdicts ORDER BY id"))
        ]


@pytest.mark.parametrize("adapter", ["none", "memory", "sql"])
def test_every_adapter_takes_writes_at_once_and_closes(adapter: str, engine: Engine) -> None:
    made: dict[str, Projection] = {"none": NoProjection(), "memory": MemoryProjection(), "sql": SqlProjection(engine)}
    one = made[adapter]
    began = time.monotonic()
    one.write([VERDICT])
    one.write([])
    assert time.monotonic() - began < 0.5
    one.close()
    assert one.dropped == 0
    for other in made.values():
        if other is not one:
            other.close()


def test_a_known_verdict_is_replaced(engine: Engine) -> None:
    one, memory = SqlProjection(engine), MemoryProjection()
    for projection in (one, memory):
        projection.write([VERDICT, replace(VERDICT, id="v2", ratio=2.0)])
        projection.write([replace(VERDICT, ratio=9.0)])
        projection.close()
    assert rows(engine) == [("v1", 9.0), ("v2", 2.0)]
    assert {k: v.ratio for k, v in memory.kept.items()} == {"v1": 9.0, "v2": 2.0}


def test_a_dead_database_loses_rows_but_never_time(tmp_path: Path) -> None:
    broken = create_engine(f"sqlite:///{tmp_path}/missing/p.db")
    one = SqlProjection(broken, retry_s=0.01)
    began = time.monotonic()
    for _ in range(2 * QUEUE):
        one.write([VERDICT])
    assert time.monotonic() - began < 1.0
    one.close()
    assert one.dropped > 0
    broken.dispose()


def test_verdicts_wait_for_a_database_that_comes_back(tmp_path: Path) -> None:
    later = create_engine(f"sqlite:///{tmp_path}/later/p.db")
    one = SqlProjection(later, retry_s=0.05)
    one.write([VERDICT])
    time.sleep(0.2)
    (tmp_path / "later").mkdir()
    with later.begin() as connection:
        connection.execute(text(TABLE))
    one.write([replace(VERDICT, id="v2")])
    until = time.monotonic() + 10
    while len(rows(later)) < 2:
        assert time.monotonic() < until, "what waited was not written"
        time.sleep(0.05)
    one.close()
    assert one.dropped == 0
    later.dispose()


def test_what_the_database_refuses_holds_nobody_up(engine: Engine) -> None:
    one = SqlProjection(engine, retry_s=0.01)
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER refuse BEFORE INSERT ON verdicts WHEN NEW.id = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        )
    one.write([replace(VERDICT, id="bad")])
    one.write([VERDICT])
    one.close()
    assert rows(engine) == [("v1", 0.0)]
    assert one.dropped == 1


def test_old_verdicts_are_pruned_in_portions(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PRUNED", 3)
    one = SqlProjection(engine)
    one.write([replace(VERDICT, id=f"v{n}", at_ms=n) for n in range(10)])
    one.close()
    assert prune(engine, 8) == 8
    assert [name for name, _ in rows(engine)] == ["v8", "v9"]
    assert prune(engine, 8) == 0
