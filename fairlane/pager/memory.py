"""What must not be forgotten with a restart: the newest samples of the metrics whose silence is an alert."""

from typing import Final

import orjson
from sqlalchemy import Engine, select

from fairlane.pager.promql.samples import REMEMBER_S, Samples
from fairlane.schema import PAGER_MEMORY as MEMORY
from slo.sql import upsert, writer

_NAME: Final = "samples"


class Memory:
    """In the database."""

    def __init__(self, engine: Engine) -> None:
        self._read = engine
        self._write = writer(engine)

    def keep(self, samples: Samples, names: frozenset[str], at: float, now: float) -> None:
        """Store the newest sample of each series with its age."""
        rows = [
            [name, sorted(labels), round(at - seen, 3), value]
            for name, labels, (seen, value) in samples.newest(sorted(names))
        ]
        body = orjson.dumps(rows).decode()
        with self._write.begin() as conn:
            upsert(conn, MEMORY, [{"name": _NAME, "at_ms": int(now * 1000), "body": body}])

    def recall(self, samples: Samples, at: float, now: float) -> None:
        """Give them back: at `at` (the samples' clock), which is `now`."""
        with self._read.connect() as conn:
            row = conn.execute(select(MEMORY).where(MEMORY.c.name == _NAME)).first()
        if row is None:
            return
        away = max(now - row.at_ms / 1000, 0.0)
        for name, labels, age, value in orjson.loads(row.body):
            if age + away < REMEMBER_S:
                samples.recall(at - age - away, name, frozenset((str(k), str(v)) for k, v in labels), float(value))
