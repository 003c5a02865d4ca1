"""The projection port: what is written is kept, replaced by id, and never in the way."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from sqlalchemy import Engine, create_engine, text

from isolator.projection import QUEUE, MemoryProjection, NoProjection, Projection, SqlProjection
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
