"""Reading the present value of limits and budgets. Every wait has a limit; a source that fails leaves a gap, never a zero."""

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import httpx
from sqlalchemy import Engine, select

from fairlane.addresses import endpoint, shown
from fairlane.capacity.watched import DISK, OVERFLOW, PARTITION
from ingestion.contracts.names import SIDE_LANES
from slo.capacity.limit import Own, Query, Source
from slo.errors import Unreachable
from slo.schema import SERIES
from slo.series import Series

TIMEOUT_S: Final = 10.0
RECENT_MS: Final = 3_600_000
LOOK_MS: Final = 300_000
"""A look at the lanes older than this says nothing."""
_AGE: Final = 3
"""Place of the oldest age in a row of the report `lanes`."""


class Meter(Protocol):
    """Reads one source."""

    def read(self, source: Source, now_s: float, /) -> float | None:
        """The value now; None where there is none. Raises Unreachable when it cannot be had, sqlalchemy.exc.SQLAlchemyError."""
        ...


class Meters:
    """Prometheus by instant query, and our own limits from the database and the disk. One thread uses it."""

    def __init__(self, engine: Engine, pipeline: str, place: Path, timeout_s: float = TIMEOUT_S) -> None:
        self._engine = engine
        self._series = Series(engine)
        self._pipeline = pipeline
        self._place = place
        self._client = httpx.Client(timeout=timeout_s, follow_redirects=False)

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    def read(self, source: Source, now_s: float) -> float | None:
        """The value now; None where there is none: nothing to ask (it is told), or nothing known."""
        if isinstance(source, Query):
            return self._ask(source)
        if isinstance(source, Own):
            return self._own(source.kind, int(now_s * 1000))
        return None

    def _own(self, kind: str, now_ms: int) -> float | None:
        if kind == DISK:
            try:
                return float(shutil.disk_usage(self._place).used)
            except OSError as error:
                raise Unreachable(f"the disk under {self._place} cannot be asked: {error.strerror or error}") from error
        return max(self._looks(kind, now_ms), default=None)

    def _looks(self, kind: str, now_ms: int) -> Iterator[float]:
        if kind == PARTITION:
            where = (
                SERIES.c.pipeline == self._pipeline,
                SERIES.c.name.like("rho_with/%"),
                SERIES.c.at_ms >= now_ms - RECENT_MS,
            )
            with self._engine.connect() as conn:
                yield from (row.value for row in conn.execute(select(SERIES.c.value).where(*where)))
        elif kind == OVERFLOW:
            found = self._series.live(self._pipeline, "lanes")
            if found is not None and found[0] >= now_ms - LOOK_MS:
                side = {str(lane) for lane in SIDE_LANES}
                yield from (float(row[_AGE]) for row in found[1] if row[0] in side and row[_AGE] is not None)

    def _ask(self, source: Query) -> float | None:
        try:
            answer = self._client.post(endpoint(source.url, "query"), data={"query": source.query})
            body = answer.json()
        except httpx.InvalidURL:
            # its text may hold a part of a password
            raise Unreachable(f"{shown(source.url)}: this is no address that can be asked; check the URL") from None
        except (httpx.HTTPError, ValueError) as error:
            raise Unreachable(
                f"{shown(source.url)}: {type(error).__name__} {error}. Check the URL, and that Prometheus runs"
            ) from error
        if not isinstance(body, Mapping) or body.get("status") != "success":
            reason = body.get("error", "no reason") if isinstance(body, Mapping) else "no reason"
            raise Unreachable(f"{shown(source.url)}: HTTP {answer.status_code} to {source.query!r}: {reason}")
        return _one(source, body.get("data"))


def _one(source: Query, data: object) -> float | None:
    """The one number of an answer; None for an empty one."""
    kind, result = (data.get("resultType"), data.get("result")) if isinstance(data, Mapping) else (None, None)
    if kind == "scalar":
        result = [{"value": result}]
    if kind not in {"scalar", "vector"} or not isinstance(result, Sequence):
        raise Unreachable(f"{shown(source.url)}: {source.query!r} gives neither a vector nor a number")
    if len(result) > 1:
        raise Unreachable(
            f"{shown(source.url)}: {source.query!r} gives {len(result)} series; a limit is one: aggregate it, such as with max()"
        )
    try:
        value = float(result[0]["value"][1]) if result else math.nan
    except (KeyError, TypeError, ValueError, IndexError):
        raise Unreachable(f"{shown(source.url)}: {source.query!r} gives a series without a value") from None
    return value if math.isfinite(value) else None
