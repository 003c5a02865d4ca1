"""The demo's story from start to end: stack up, clients on, trouble, and the account of what happened."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from sqlalchemy import func, select

from fairlane.demo import report, trace
from fairlane.demo.audit import audit
from fairlane.demo.checks import checks
from fairlane.demo.culprits import Culprit, judged, sentence
from fairlane.demo.load import Event, Population, SceneLoad
from fairlane.demo.options import CALM_S, Options, Say
from fairlane.demo.report import Broker, Events, Flood, Report, Visible
from fairlane.demo.scenes import SCENES
from fairlane.demo.sender import SLICE_S, Sender
from fairlane.demo.stage import Stage
from fairlane.demo.watch import Watch, first_forward_ms
from ingestion.contracts.names import Lane
from ingestion.sinks.schema import EVENTS, open_engine
from slo.errors import FairlaneError

STORY_LIMIT_S = 125.0
"""Clients stop at the latest so long after they started."""
WARM_LIMIT_S = 45.0
"""The trouble starts at the latest so long after the clients, with baselines that are warm or not."""
DRAIN_LIMIT_S = 90.0
STUCK_S = 20.0
"""Nothing has become visible for so long: what is not visible by now will not be."""
AFTERMATH_S = 3.0
"""Clients go on so long after the last act."""
CAUGHT_UP_S = 1.0
"""The general lane has caught up when its longest queue takes no longer than this."""
SURGE_AFTERMATH_S = 12.0
TRACE_S = 60.0
TRACE_EVENTS = 40_000
TRACE_RHO = 0.5


class Story:
    """One run. `say` gets a line for each thing that happens."""

    def __init__(self, options: Options, say: Say) -> None:
        """Reads the trace, when there is one: raises ConfigError before anything is started."""
        self._options = options
        self._say = say
        self._scene = SCENES[options.scene]
        self._population = Population(options.tokens, options.seed)
        self._curtain = threading.Event()
        self._started_ms: int | None = None
        self._trouble_over = threading.Event()
        self._warm: Callable[[], bool] = lambda: True
        self._began_cold = False
        self._replay = self._fitted() if options.trace else None
        self._culprits = self._cast()
        self._guilty = frozenset(self._culprits)

    @property
    def _has_culprit(self) -> bool:
        return self._scene.has_culprit and self._options.trace is None

    def _cast(self) -> dict[str, str]:
        """Culprit -> what it does."""
        if not self._has_culprit:
            return {}
        scene, all_ = self._scene, self._population
        if not scene.hangs:
            return {all_.noisy: str(scene.name)}
        return {all_.hung: "hung", all_.slow: "slow", all_.noisy: "flood"}

    def run(self, stage: Stage) -> Report:
        """Play the story on a stage that is up."""
        watch = Watch(stage.kafka, stage.pipeline.name)
        watch.start()
        self._warm = lambda: watch.warm
        sender = Sender(stage.capture_url, self._slices)
        sender.start()
        try:
            self._follow(sender, watch)
            self._curtain.set()
            sender.join(30)
            if sender.error is not None:
                raise FairlaneError(f"the demo's clients failed: {sender.error!r}") from sender.error
            self._drain(stage, sender)
        finally:
            self._curtain.set()
            watch.stop()
        return self._account(stage, sender, watch)

    # ---- the clients' side ------------------------------------------------------------------------------------------------------

    def _fitted(self) -> trace.Replay:
        assert self._options.trace is not None
        rows = trace.read(self._options.trace)
        fitted = trace.fit(
            rows, seconds=TRACE_S, max_events=TRACE_EVENTS, mean_rho=TRACE_RHO, seed=self._options.seed, slice_s=SLICE_S
        )
        self._say(
            f"trace {self._options.trace.name}: {len(rows)} rows, sped up {fitted.speedup:.0f} times, "
            f"{fitted.thinned * 100:.3g} % of its records, work scaled by {fitted.work_scale:.3g} to a mean load of {TRACE_RHO:.0%}"
        )
        return fitted

    def _slices(self) -> Iterator[list[Event]]:
        if self._replay is not None:
            for part in self._replay:
                if self._curtain.is_set():
                    return
                yield part
            self._trouble_over.set()
            return
        scene = self._scene
        load = SceneLoad(scene, self._population, self._options.seed)
        warm, most = round(scene.warm_s / SLICE_S), round(WARM_LIMIT_S / SLICE_S)
        for number in range(most):
            if number >= warm and (self._options.mode == "off" or self._warm()):
                break
            yield load.background(SLICE_S)
        self._began_cold = self._options.mode != "off" and not self._warm()
        self._started_ms = int(time.time() * 1_000)
        yield load.hanging()
        for _ in range(round(scene.trouble_s / SLICE_S)):
            yield load.background(SLICE_S, scene.surge_factor) + load.noise(SLICE_S) + load.costly(SLICE_S)
        self._trouble_over.set()
        if self._options.mode == "off":
            return
        while not self._curtain.is_set():
            yield load.background(SLICE_S)

    # ---- what a spectator sees ---------------------------------------------------------------------------------------------------

    def _follow(self, sender: Sender, watch: Watch) -> None:
        start, told, said, begun = time.monotonic(), 0, "", False
        over: float | None = None
        while time.monotonic() - start < STORY_LIMIT_S:
            time.sleep(0.2)
            if self._started_ms is not None and not begun:
                begun = True
                who = ", ".join(self._culprits if len(self._culprits) < 2 else map(" is ".join, self._culprits.items()))
                self._say(f"now {self._scene.line}" + (f": {who}" if who else ""))
            for move in watch.moves[told:]:
                since = "" if self._started_ms is None else f"{(move.at_ms - self._started_ms) / 1_000:.1f} s: "
                self._say(f"{since}{move.token} {move.source} -> {move.target}: {move.reason}")
            told = len(watch.moves)
            if watch.sentence != said:
                said = watch.sentence
                self._say(f"  {said}")
            if self._trouble_over.is_set():
                over = over or time.monotonic()
                if not sender.is_alive() or self._resolved(watch, time.monotonic() - over):
                    break
        if self._has_culprit and self._options.mode == "auto":
            time.sleep(AFTERMATH_S)

    def _resolved(self, watch: Watch, over_s: float) -> bool:
        if self._has_culprit and self._options.mode == "auto":
            if self._scene.hangs:  # the story is told when each has been moved, and nobody waits any more
                return {m.token for m in watch.moves} >= self._guilty and watch.delay_s <= CAUGHT_UP_S
            return watch.first(self._population.noisy, Lane.GENERAL) is not None
        return over_s > SURGE_AFTERMATH_S

    def _drain(self, stage: Stage, sender: Sender) -> None:
        # what hangs its handler is never visible
        accepted = len(sender.ledger.accepted) - self._scene.hangs * self._has_culprit
        self._say(f"the clients stopped: {accepted} events accepted; waiting until all are visible")
        engine = open_engine(stage.sink_url)
        deadline, moved, last = time.monotonic() + DRAIN_LIMIT_S, time.monotonic(), -1
        patience_s = STUCK_S * (1 + self._scene.hangs)  # a hang stops everything for a while
        try:
            while time.monotonic() < deadline:
                with engine.connect() as connection:
                    visible = connection.execute(select(func.count()).select_from(EVENTS)).scalar_one()
                if visible >= accepted:
                    return
                if visible != last:
                    last, moved = visible, time.monotonic()
                elif time.monotonic() - moved > patience_s:
                    return  # nothing comes any more: the audit will say what is missing
                time.sleep(0.3)
        finally:
            engine.dispose()

    # ---- the account ---------------------------------------------------------------------------------------------------------------

    def _account(self, stage: Stage, sender: Sender, watch: Watch) -> Report:
        accepted = sender.ledger.accepted
        found = audit(stage.kafka, stage.pipeline, stage.sink_url, (event.event_id for event in accepted))
        rows = _visible(stage)
        innocent = sum(event.token not in self._guilty for event in accepted)
        flood = self._flood(stage, rows, watch)
        notes: tuple[str, ...] = (
            f"calm time {CALM_S:.0f} s instead of 60 s; baselines warmed up in {self._scene.warm_s:.0f} s instead of 24 h",
            (
                f"clients fell behind their own pace by at most {sender.ledger.late_s:.2f} s; "
                f"{sender.ledger.refused} events refused, {sender.ledger.unanswered} never answered"
            ),
            f"fresh again = no innocent event takes over {report.FRESH_SHARE * stage.pipeline.slo_s:.0f} s any more",
        )
        if self._began_cold:
            notes += (
                "the baselines were not warm when the trouble began: this machine is too busy for the demo's load",
            )
        culprits: tuple[Culprit, ...] = ()
        if self._scene.hangs:
            culprits = tuple(
                judged(
                    token, is_a, watch.moves, watch.verdicts.values(), self._started_ms, _dead(accepted, rows, token)
                )
                for token, is_a in self._culprits.items()
            )
            for one in culprits:
                self._say(sentence(one))
            hung_s = stage.pipeline.hung_s
            notes += (
                f"a handler call counts as hung after {hung_s:g} s instead of 60 s: so long its whole slot stands still",
            )
        told = Report(
            broker=Broker(stage.broker_version, round(stage.broker_ready_s, 3)),
            events=Events(**found.as_dict()),
            flood=flood,
            moves=report.moves(watch.moves, self._started_ms),
            innocents=report.innocents(rows, innocent, self._guilty, stage.pipeline.slo_s),
            scene=str(self._options.scene) if self._options.trace is None else f"trace {self._options.trace.name}",
            mode=self._options.mode,
            seed=self._options.seed,
            diagnoses=dict(watch.diagnoses),
            notes=notes,
            culprits=culprits,
            restarts={role: count for role, count in stage.restarts().items() if count},
        )
        return replace(told, checks=checks(told, stage.pipeline.slo_s))

    def _flood(self, stage: Stage, rows: list[Visible], watch: Watch) -> Flood:
        if not self._has_culprit:
            return Flood()
        token, started = self._population.noisy, self._started_ms
        decided = watch.first(token, Lane.OVERFLOW) or watch.first(token, Lane.QUARANTINE)
        if decided is None or started is None:
            return Flood(token)
        pipeline = stage.pipeline
        forwarded = first_forward_ms(stage.kafka, pipeline.names.topic(decided.target), pipeline.partitions, token)
        moved_s = report.since(forwarded, started)
        back = watch.first(token, Lane.GENERAL, after=decided.target)
        return Flood(
            token=token,
            decided_s=report.since(decided.at_ms, started),
            moved_s=moved_s,
            protected_s=report.protected_s(rows, self._guilty, started, moved_s, pipeline.slo_s),
            restored_s=report.since(back.at_ms if back else None, started),
        )


def _dead(accepted: Sequence[Event], rows: Sequence[Visible], token: str) -> int:
    """Accepted events of the token that are not in the sink: the audit says whether they are dead letters or missing."""
    return sum(event.token == token for event in accepted) - sum(row.token == token for row in rows)


def _visible(stage: Stage) -> list[Visible]:
    engine = open_engine(stage.sink_url)
    columns = EVENTS.c
    try:
        with engine.connect() as connection:
            rows = connection.execute(select(columns.token, columns.captured_at, columns.visible_at))
            return [Visible(token, captured, visible) for token, captured, visible in rows]
    finally:
        engine.dispose()
