"""The pager's clockwork: look, judge, note, send. Runs beside the evaluation of the objectives, in the process that books them."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from alerts.alertmanager import WATCHDOG
from alerts.model import Tier
from alerts.rules import alerts
from fairlane.pager import budgets, metrics, scrape
from fairlane.pager.channels import Webhook, channels
from fairlane.pager.config import PagerConfig
from fairlane.pager.courier import Courier
from fairlane.pager.finding import Finding, Round
from fairlane.pager.http import HttpPoster, host
from fairlane.pager.lease import Lease
from fairlane.pager.machinery import Machinery
from fairlane.pager.memory import Memory
from fairlane.pager.notice import Kind, Notice
from fairlane.pager.outbox import Outbox
from fairlane.pager.promql.samples import Samples
from slo import metrics as slo
from slo.burn import Severity, State
from slo.clock import Clock
from slo.errors import Unreachable
from slo.evaluation import Evaluation

EVERY_S: Final = 15.0
SEND_S: Final = 1.0
"""Seconds between looks into the outbox."""
BEAT_S: Final = 60.0
TIDY_S: Final = 3_600.0
STALE_S: Final = 120.0
"""An evaluation older than this says nothing: the rules' own bound."""
JUMP_S: Final = 30.0
"""A wall clock that has gone so much further, or less far, than time itself has jumped ..."""
SETTLE_S: Final = 120.0
"""... and for so long nothing fires or ends: what was stamped before and what is stamped now do not go together."""
BEHIND_S: Final = 120.0
"""A clock that is so far behind the data's judges the past: the objectives are frozen."""
_log = logging.getLogger(__name__)


class Pager:
    """One of a process. `hear` may be called by another thread, all else by the one that runs."""

    def __init__(
        self,
        config: PagerConfig,
        engine: Engine,
        clock: Clock,
        registry: CollectorRegistry,
        targets: Callable[[], Sequence[str]] = tuple,
        every_s: float = EVERY_S,
    ) -> None:
        """Reads the metrics of `registry` and of `targets()`."""
        self._config = config
        self._clock = clock
        self._registry = registry
        self._targets = targets
        self._every_s = every_s
        self._http = HttpPoster()
        ways = channels(config)
        self._outbox = Outbox(engine, ways)
        self._courier = Courier(self._outbox, ways, self._http, clock, registry)
        self._lease = Lease(engine, clock)
        self._memory = Memory(engine)
        self._machinery = Machinery(config.alerts)
        self._names = self._machinery.names()
        self._samples: Samples | None = None
        self._heard: tuple[float, float, Sequence[Evaluation]] | None = None
        self._last: tuple[float, float] | None = None
        self._settled_at = 0.0
        self._standing = metrics.STANDING.gauge(registry)
        self._round_at = metrics.LAST_ROUND.gauge(registry)
        self._scrape_errors = metrics.SCRAPE_ERRORS.counter(registry)
        self._due = {"round": 0.0, "beat": 0.0, "tidy": 0.0}

    def hear(self, found: Sequence[Evaluation]) -> None:
        """A round of evaluations has ended. Those that are well are left out here: of ten thousand, nearly all."""
        now, worth = 0, list[Evaluation]()
        # once through: a round makes each evaluation when it is asked for
        for e in found:
            now = max(now, e.at_ms)
            if e.severity is not Severity.NONE or e.state is State.FROZEN:
                worth.append(e)
        self._heard = self._clock.monotonic(), now / 1000, worth

    def run(self, stop: threading.Event) -> int:
        """Page until `stop`; returns 0. What fails is logged and tried again."""
        try:
            while not stop.wait(SEND_S):
                try:
                    self.turn()
                except SQLAlchemyError as error:
                    _log.warning("the pager could not use the database, it tries again: %s", type(error).__name__)
                except Exception:
                    _log.exception("the pager failed in a turn; it goes on")
        finally:
            self.close()
        return 0

    def close(self) -> None:
        """Give the lease to whoever comes next."""
        try:
            self._lease.release()
        except SQLAlchemyError as error:
            _log.warning("the pager's lease runs out by itself: %s", type(error).__name__)
        self._http.close()

    def turn(self) -> bool:
        """What is due now; False while another process pages. Raises sqlalchemy.exc.SQLAlchemyError."""
        if self._time_for("round", self._every_s):
            if not self._lease.hold():
                self._due["round"] = self._clock.monotonic() + self._every_s
                self._samples = None
                self._round_at.set(0)
                return False
            self._round()
        if self._samples is None:
            return False
        self._courier.turn()
        if self._time_for("beat", BEAT_S):
            self._beat()
        if self._time_for("tidy", TIDY_S) and (lost := self._outbox.forget(self._now_ms())):
            _log.error("%d messages were never taken by their channel and are given up", lost)
        return True

    def _time_for(self, what: str, every_s: float) -> bool:
        now = self._clock.monotonic()
        if now < self._due[what]:
            return False
        self._due[what] = now + every_s
        return True

    def _round(self) -> None:
        if self._samples is None:
            at = self._clock.monotonic()
            self._samples = Samples(at)
            self._memory.recall(self._samples, at, self._clock.now())
        self._look(self._samples)
        # after the look, which may take a while: what others have stamped meanwhile must not seem to come from the future
        at, now = self._clock.monotonic(), self._clock.now()
        found = self._together(
            self._machinery.judge(self._samples, at, now, self._outbox.standing()), self._budgets(at, now), at, now
        )
        begun, ended = self._outbox.book(found, int(now * 1000))
        for notice in (*begun, *ended):
            _log.warning("%s %s: %s", notice.finding.tier, notice.kind, notice.finding.summary)
        self._memory.keep(self._samples, self._machinery.remembered(), at, now)
        tiers = Counter(str(one.finding.tier) for one in self._outbox.standing().values())
        for tier in (Tier.PAGE, Tier.TICKET, Tier.NOTIFY):
            self._standing.labels(str(tier)).set(tiers[str(tier)])
        self._round_at.set(now)

    def _look(self, samples: Samples) -> None:
        rows = list(scrape.own(self._registry, self._names))
        if self._heard is not None:
            # the exporter makes its series at the scrape: of ten thousand objectives only this one is needed
            rows.append((slo.LAST_EVALUATION.name, frozenset({(scrape.INSTANCE, "self")}), self._heard[1]))
        rows += scrape.others(self._http, self._targets(), self._names, self._scrape_errors.inc)
        samples.take(self._clock.monotonic(), rows, self._names)

    def _budgets(self, at: float, now: float) -> Round:
        """What burns; everything is frozen while there is no evaluation to go by."""
        ahead = (
            max((value for _, _, (_, value) in self._samples.newest((slo.BOOKED_AT.name,))), default=0.0)
            if self._samples
            else 0.0
        )
        if self._heard is None or at - self._heard[0] > STALE_S or ahead - now > BEHIND_S:
            return Round((), lambda _: True)
        return budgets.judge(self._heard[2], self._config.alerts)

    def _together(self, machinery: Round, burning: Round, at: float, now: float) -> Round:
        burns = budgets.ALERTS
        last, self._last = self._last, (at, now)
        if last is not None and abs((now - last[1]) - (at - last[0])) > JUMP_S:
            _log.warning(
                "the clock has jumped by %.0f s: nothing fires or ends for %.0f s",
                now - last[1] - at + last[0],
                SETTLE_S,
            )
            self._settled_at = at + SETTLE_S
        if at < self._settled_at:
            return Round((), lambda _: True)

        def frozen(key: str) -> bool:
            return burning.frozen(key) if key.partition("{")[0] in burns else machinery.frozen(key)

        return Round((*machinery.findings, *burning.findings), frozen)

    def _beat(self) -> None:
        """Tell the dead man's switch that the pager works; that it cannot be reached is its own to notice."""
        if not self._config.heartbeat:
            return
        watchdog = next(alert for alert in alerts() if alert.name == WATCHDOG)
        finding = Finding(
            WATCHDOG,
            Tier.HEARTBEAT,
            watchdog.area,
            (),
            watchdog.summary,
            watchdog.description,
            "",
            "",
            self._config.owner,
        )
        now = self._now_ms()
        request = Webhook(self._config.heartbeat).request(Notice(finding, str(now), Kind.FIRING, now))
        try:
            self._http.post(request)
        except Unreachable as error:
            _log.warning("the heartbeat was not heard at %s: %s", host(self._config.heartbeat), error)

    def _now_ms(self) -> int:
        return int(self._clock.now() * 1000)
