"""The controller's Prometheus metrics, set from its decisions."""

from collections import Counter
from collections.abc import Iterable

from prometheus_client import CollectorRegistry

from ingestion.contracts.names import SIDE_LANES
from ingestion.contracts.routes import Mode
from isolator import metrics
from isolator.brain import Batch, Brain
from isolator.diagnose import Diagnosis
from isolator.moves import PolicyState
from isolator.observation import Observation
from isolator.policy import Decision


class Gauges:
    """All of `isolator.metrics`, registered once a process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.last_tick = metrics.LAST_TICK.gauge(registry)
        self.tick_seconds = metrics.TICK_SECONDS.histogram(registry)
        self.mode = metrics.MODE.gauge(registry)
        self.diagnosis = metrics.DIAGNOSIS.gauge(registry)
        self.decisions = metrics.DECISIONS.counter(registry)
        self.moved = metrics.MOVED_TOKENS.gauge(registry)
        self.active = metrics.ACTIVE_TOKENS.gauge(registry)
        self.traffic = metrics.MOVED_TRAFFIC.gauge(registry)
        self.anomaly = metrics.ANOMALY.gauge(registry)
        self.utilisation = metrics.UTILISATION.gauge(registry)
        self.delay = metrics.DELAY.gauge(registry)
        self.hot = metrics.HOT_PARTITIONS.gauge(registry)
        self.baseline = metrics.BASELINE_SECONDS.gauge(registry)
        self.stale = metrics.STALE.gauge(registry)
        self.age = metrics.INPUT_AGE.gauge(registry)
        self.refused = metrics.MOVES_REFUSED.gauge(registry)
        self.commands = metrics.COMMANDS.counter(registry)
        self.reports = metrics.REPORTS.counter(registry)
        self.fold_seconds = metrics.FOLD_SECONDS.counter(registry)
        self.lag = metrics.TELEMETRY_LAG.gauge(registry)
        self.writes = metrics.STATE_WRITES.counter(registry)
        self.dropped = metrics.PROJECTION_DROPPED.counter(registry)
        self.owned = metrics.OWNED.gauge(registry)
        self._of_owner = (
            *(self.last_tick, self.mode, self.diagnosis, self.moved, self.active, self.traffic, self.anomaly),
            *(self.utilisation, self.delay, self.hot, self.baseline, self.stale, self.age, self.refused),
            self.lag,
        )
        self._lag_s: dict[str, float] = {}
        self._scored: dict[str, set[str]] = {}
        self._was_dropped = 0

    def ticked(self, brain: Brain, tick_s: float, now_s: float) -> None:
        """A decision was written."""
        assert brain.last is not None
        seen, decision = brain.last
        name = brain.pipeline
        self.last_tick.labels(name).set(now_s)
        self.tick_seconds.labels(name).observe(tick_s)
        self._words(name, brain.state, decision)
        self._numbers(name, seen, decision)
        self._scores(name, decision)
        self.lag.labels(name).set(self._lag_s.pop(name, 0.0))

    def folded(self, pipeline: str, kind: str, seconds: float, age_s: float | None) -> None:
        """A message was decoded and folded in `seconds`, `age_s` after the broker had appended it (None: not told)."""
        self.reports.labels(kind).inc()
        self.fold_seconds.labels(pipeline).inc(seconds)
        if age_s is not None:
            self._lag_s[pipeline] = max(self._lag_s.get(pipeline, 0.0), age_s)

    def unreadable(self) -> None:
        """A message was skipped for what it holds."""
        self.reports.labels("unreadable").inc()

    def skipped(self, counts: Counter[str]) -> None:
        """Reports, by kind, that were too old to say anything about now; what was counted is cleared."""
        for kind, count in counts.items():
            self.reports.labels(f"{kind}-old").inc(count)
        counts.clear()

    def _words(self, name: str, state: PolicyState, decision: Decision) -> None:
        self.modes(name, state.mode)
        for diagnosis in Diagnosis:
            self.diagnosis.labels(name, str(diagnosis)).set(decision.status.diagnosis == diagnosis)
        for lane in SIDE_LANES:
            self.moved.labels(name, str(lane)).set(sum(r.lane is lane for r in state.moved().values()))

    def modes(self, name: str, mode: Mode) -> None:
        """The pipeline's mode."""
        for each in Mode:
            self.mode.labels(name, str(each)).set(each is mode)

    def _numbers(self, name: str, seen: Observation, decision: Decision) -> None:
        status = decision.status
        self.active.labels(name).set(status.active_tokens)
        self.traffic.labels(name).set(status.moved_traffic)
        self.utilisation.labels(name, "without").set(status.rho)
        self.utilisation.labels(name, "with").set(status.rho_with_moved)
        self.delay.labels(name, "without").set(status.delay_s)
        self.delay.labels(name, "with").set(status.delay_with_moved_s)
        self.hot.labels(name).set(len(status.hot_partitions))
        self.baseline.labels(name).set(status.baseline_s)
        self.stale.labels(name).set(status.stale)
        self.refused.labels(name).set(status.moves_refused)
        for source, age in (
            ("worker", seen.worker_age_s),
            ("arrivals", seen.arrivals_age_s),
            ("probe", seen.probe_age_s),
        ):
            self.age.labels(name, source).set(age)

    def _scores(self, name: str, decision: Decision) -> None:
        scores = {s.token: s.score for s in decision.status.scores}
        scores["other"] = decision.other_score
        for gone in self._scored.get(name, set()) - set(scores):
            self.anomaly.remove(name, gone)
        for token, score in scores.items():
            self.anomaly.labels(name, token).set(score)
        self._scored[name] = set(scores)

    def wrote(self, pipeline: str, batch: Batch) -> None:
        """A batch was committed."""
        self.writes.labels("committed").inc()
        for verdict in batch.new:
            self.decisions.labels(pipeline, str(verdict.kind)).inc()

    def projected(self, dropped: int) -> None:
        """The projection's count of lost verdicts, which only grows."""
        self.dropped.inc(max(dropped - self._was_dropped, 0))
        self._was_dropped = dropped

    def owns(self, pipelines: Iterable[str], mine: Iterable[str]) -> None:
        """Which pipelines this controller decides for; of a pipeline that is another's nothing is shown here, so that no alert stands on what once was."""
        own = set(mine)
        for name in pipelines:
            self.owned.labels(name).set(name in own)
            if name not in own:
                self._scored.pop(name, None)
                for gauge in self._of_owner:
                    gauge.remove_by_labels({"pipeline": name})
