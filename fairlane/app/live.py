"""The `Source` of production: telemetry and state from Kafka, budgets from the database."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine

from fairlane.app import decisions
from fairlane.app.archive import Archive
from fairlane.app.budgets import Budgets
from fairlane.app.docket import Docket, Trace, docket_of
from fairlane.app.follower import Follower
from fairlane.app.observation import Observation
from isolator import snapshot
from isolator.explain import Explanation, explain
from isolator.state import StateView
from isolator.verdict import Verdict
from slo.clock import Clock


class KafkaSource:
    """Follows the pipelines in `slo_s` (name to its freshness promise in seconds). Answers from memory; nothing it reads from can make it raise."""

    def __init__(
        self, kafka: Mapping[str, Any], slo_s: Mapping[str, float], open_engine: Callable[[], Engine], clock: Clock
    ) -> None:
        self._slo_s = dict(slo_s)
        self._clock = clock
        self._follower = Follower(kafka, tuple(slo_s), clock)
        self._budgets = Budgets(open_engine, tuple(slo_s))
        self._archive = Archive(open_engine, clock)

    def pipelines(self) -> tuple[str, ...]:
        """As configured, in that order."""
        return tuple(self._slo_s)

    def observe(self, pipeline: str) -> Observation:
        """What is known now. Raises KeyError for a pipeline that is not followed."""
        now = self._clock.now()
        follower = self._follower
        with follower.lock:
            fold, state = follower.folds[pipeline], follower.state(pipeline)
            lanes = fold.lanes(now)
            status = state.status if state else None
            lags = {row.lane: row.lag for row in lanes}
            tick_ms = (status.last_tick_ms or status.at_ms) if status else None
            return Observation(
                pipeline,
                now,
                self._slo_s[pipeline],
                self.pipelines(),
                state.table.mode if state and (state.mode_written or status) else None,
                status.diagnosis if status else "",
                status.sentence if status else "",
                status.at_ms / 1000 if status else None,
                status.active_tokens if status else None,
                None if tick_ms is None else tick_ms / 1000,
                fold.seen_s,
                fold.arrivals(now),
                lanes,
                fold.partitions(now),
                fold.history(now),
                self._budgets.rows(pipeline, now),
                decisions.moves(state, lags, now) if state else (),
                decisions.suggestions(state, now) if state else (),
                decisions.scores(state, fold.shares(now)) if state else (),
                decisions.changes(state) if state else (),
                (follower.part, self._budgets.part),
            )

    def docket(self, pipeline: str) -> Docket:
        """The decisions as known now. Raises KeyError for a pipeline that is not followed."""
        now = self._clock.now()
        follower = self._follower
        with follower.lock:
            lags = {row.lane: row.lag for row in follower.folds[pipeline].lanes(now)}
            return docket_of(
                follower.state(pipeline),
                now,
                pipeline=pipeline,
                pipelines=self.pipelines(),
                slo_s=self._slo_s[pipeline],
                lags=lags,
                parts=(follower.part,),
            )

    def explain(self, pipeline: str, token: str) -> Explanation:
        """What the state tells about the token. Raises KeyError for a pipeline that is not followed."""
        with self._follower.lock:
            state = self._follower.state(pipeline) or StateView(pipeline)
            return explain(state, token, int(self._clock.now() * 1000))

    def baselines(self, pipeline: str) -> tuple[str, ...]:
        """Names in the newest snapshot of the baselines."""
        with self._follower.lock:
            state = self._follower.state(pipeline)
            chunks = [state.snapshot[n] for n in sorted(state.snapshot)] if state else []
        found = snapshot.decode(chunks)
        return tuple(found[0]) if found else ()

    def verdict(self, pipeline: str, verdict_id: str) -> Verdict | None:
        """One from the database."""
        return self._archive.verdict(pipeline, verdict_id)

    def trace(self, pipeline: str, token: str, partitions: tuple[int, ...], since_ms: int, until_ms: int) -> Trace:
        """Recorded series from the database."""
        return self._archive.trace(pipeline, token, partitions, since_ms, until_ms)

    def ready(self) -> bool:
        """The first look at the broker has ended, well or not."""
        return self._follower.looked

    def start(self) -> None:
        """Begin to follow."""
        self._follower.start()
        self._budgets.start()

    def stop(self) -> None:
        """Stop following."""
        self._follower.stop()
        self._budgets.stop()
        self._archive.close()
