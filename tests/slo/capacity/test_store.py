"""Samples by the hour, on SQLite and PostgreSQL."""

from sqlalchemy import Engine

from slo.capacity.store import HOUR, KEEP_S, Samples
from tests.support.database_fixtures import engine, postgres

__all__ = ["engine", "postgres"]
AT = 1_795_600_000 // HOUR * HOUR


def test_of_an_hour_the_highest_value_stays(engine: Engine) -> None:
    samples = Samples(engine)
    samples.put({("disk", AT + 10): 5.0, ("disk", AT + 20): 7.0, ("seats", AT): 1.0})
    samples.put({("disk", AT + 3000): 6.0})
    samples.put({("disk", AT + HOUR): 2.0})
    samples.put({})
    assert samples.read("disk") == {AT: 7.0, AT + HOUR: 2.0}
    assert samples.read("disk", AT + 1) == {AT + HOUR: 2.0}
    assert samples.read("nothing") == {}
    assert samples.newest() == {"disk": AT + HOUR, "seats": AT}


def test_old_ones_are_forgotten(engine: Engine) -> None:
    samples = Samples(engine)
    samples.put({("disk", AT): 5.0, ("disk", AT + HOUR): 7.0})
    assert samples.forget(AT + KEEP_S + 1) == 1
    assert samples.read("disk") == {AT + HOUR: 7.0}
