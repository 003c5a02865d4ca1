"""The `LiveSource` of production: telemetry and state from Kafka, budgets from the database."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine

from fairlane.app import decisions
from fairlane.app.budgets import Budgets
from fairlane.app.follower import Follower
from fairlane.app.observation import Observation
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
                (follower.part, self._budgets.part),
            )

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
