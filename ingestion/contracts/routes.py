"""Routes: which lane is *wanted* for a token. A hint: however late or wrong, it may cost placement, never order or loss.

Everything here lives in the compacted topic `fairlane.state` (one partition, so that a record's offset is a total order and a route's version).
Key and value are JSON; a null value (tombstone) forgets the key. Keys: `mode/PIPELINE`, `route/PIPELINE/TOKEN`, `mark/PIPELINE/TOKEN`, `verdict/PIPELINE/ID`, `status/PIPELINE`, `answer/PIPELINE/ID`, `change/PIPELINE/ID`, `snapshot/PIPELINE/N`.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

import orjson

from ingestion.contracts.names import Lane

HISTORY_LIMIT: Final = 40
"""Past intervals that a route carries with it, newest last."""
LIMITS_KEPT: Final = 10
"""Past limits that a route remembers."""


class Mode(StrEnum):
    """What the isolator may do in a pipeline."""

    OFF = "off"
    OBSERVE = "observe"
    SUGGEST = "suggest"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Interval:
    """The token was wanted in `lane` from `since_ms` (included) to `until_ms` (excluded)."""

    lane: Lane
    since_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Route:
    """The lane that is wanted for a token since `since_ms`, why, and where it was wanted before."""

    pipeline: str
    token: str
    lane: Lane
    since_ms: int
    reason: str = ""
    by: str = "policy"
    verdict_id: str = ""
    expires_ms: int | None = None
    history: tuple[Interval, ...] = ()
    limit_per_s: float | None = None
    """Events a second that capture takes of the token; None for all. Independent of the lane."""
    limit_until_ms: int | None = None
    """When the limit ends by itself, whoever is still there to lift it."""
    limited_ms: tuple[int, ...] = ()
    """When it was limited, newest last (LIMITS_KEPT of them)."""
    asked_by: str = ""
    """Who has asked for its return, which waits for the lane since `expires_ms`; "" for nobody."""
    asked_why: str = ""

    def wanted_at(self, at_ms: int) -> Lane:
        """The lane that was wanted at `at_ms`; general before the history begins."""
        if at_ms >= self.since_ms:
            return self.lane
        for past in reversed(self.history):
            if past.since_ms <= at_ms < past.until_ms:
                return past.lane
        return Lane.GENERAL

    def then(self, lane: Lane, at_ms: int, **why: Any) -> "Route":
        """The route that follows this one at `at_ms`; keeps the history (the newest HISTORY_LIMIT intervals)."""
        past = (*self.history, Interval(self.lane, self.since_ms, at_ms))[-HISTORY_LIMIT:]
        return Route(self.pipeline, self.token, lane, at_ms, history=past, limited_ms=self.limited_ms, **why)

    def limited(self, per_s: float, at_ms: int, until_ms: int) -> "Route":
        """The same route with a limit at capture from `at_ms` to `until_ms`."""
        times = self.limited_ms if self.limit_at(at_ms) is not None else (*self.limited_ms, at_ms)[-LIMITS_KEPT:]
        return replace(self, limit_per_s=per_s, limit_until_ms=until_ms, limited_ms=times)

    def lifted(self) -> "Route":
        """The same route without a limit."""
        return replace(self, limit_per_s=None, limit_until_ms=None)

    def limit_at(self, at_ms: int) -> float | None:
        """The limit in force at `at_ms`, events/s; None without one."""
        over = self.limit_until_ms is not None and at_ms >= self.limit_until_ms
        return None if over else self.limit_per_s

    def encode(self) -> tuple[bytes, bytes]:
        """Key and value for the state topic. What is not set is left out, so that older readers take a route without a limit."""
        raw = asdict(self)
        for name in ("limit_per_s", "limit_until_ms", "limited_ms", "asked_by", "asked_why"):
            if not raw[name] and raw[name] != 0:
                del raw[name]
        return f"route/{self.pipeline}/{self.token}".encode(), orjson.dumps(raw)

    @staticmethod
    def decode(value: bytes) -> "Route":
        """The route in a state record's value; unknown fields are ignored. Raises ValueError, KeyError or TypeError when it is not one."""
        raw = {name: item for name, item in orjson.loads(value).items() if name in _FIELDS}
        raw["limited_ms"] = tuple(raw.get("limited_ms", ()))
        raw["lane"] = Lane(raw["lane"])
        raw["history"] = tuple(Interval(Lane(h["lane"]), h["since_ms"], h["until_ms"]) for h in raw.get("history", ()))
        return Route(**raw)


_FIELDS: Final = frozenset(Route.__dataclass_fields__)


@dataclass(slots=True)
class RouteTable:
    """One pipeline's routes as folded from the state topic. Pure: feed it records in offset order.

    After a lost or compacted prefix it is merely older, which the fence allows.
    """

    pipeline: str
    routes: dict[str, Route] = field(default_factory=dict)
    mode: Mode = Mode.OBSERVE
    version: int = -1
    unreadable: int = 0

    def apply(self, key: bytes | None, value: bytes | None, offset: int) -> None:
        """Fold one state record; other pipelines' and other kinds' records only advance the version. Unreadable ones are counted and skipped."""
        self.version = max(self.version, offset)
        kind, _, rest = (key or b"").decode(errors="replace").partition("/")
        pipeline, _, token = rest.partition("/")
        if pipeline != self.pipeline:
            return
        try:
            if kind == "route":
                if value is None:
                    self.routes.pop(token, None)
                else:
                    self.routes[token] = Route.decode(value)
            elif kind == "mode" and value is not None:
                self.mode = Mode(orjson.loads(value)["mode"])
        except (ValueError, KeyError, TypeError):
            self.unreadable += 1

    def wanted(self, token: str) -> Lane:
        """The lane that is wanted for `token` now."""
        route = self.routes.get(token)
        return route.lane if route else Lane.GENERAL

    def moved_at(self, token: str, at_ms: int) -> bool:
        """Was the token wanted outside general at `at_ms`? Decides the SLO population of a record appended then."""
        route = self.routes.get(token)
        return route is not None and route.wanted_at(at_ms) is not Lane.GENERAL

    def limit(self, token: str, at_ms: int) -> float | None:
        """Events a second that capture takes of `token` at `at_ms`, None for all."""
        route = self.routes.get(token)
        return route.limit_at(at_ms) if route else None

    def moved(self) -> Iterator[Route]:
        """Routes that point outside general now."""
        return (r for r in self.routes.values() if r.lane is not Lane.GENERAL)
