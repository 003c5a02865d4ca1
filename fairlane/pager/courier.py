"""Takes letters to their channels: in order for each trouble, again and again with a growing pause, and marked off when they are taken."""

import logging
import random
from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry

from fairlane.pager import metrics
from fairlane.pager.channels import Channel
from fairlane.pager.http import LONGEST_WAIT_S, Poster
from fairlane.pager.outbox import Letter, Outbox
from slo.clock import Clock
from slo.errors import ConfigError, Unreachable

BACK_OFF_S: Final = (5.0, 300.0)
"""Pause after the first failure and the longest one; it doubles in between."""
SPREAD: Final = 0.1
"""Share of a pause that is left to chance, so that many processes do not come back at once."""
TURN_S: Final = 10.0
"""A turn begins no letter after this: with hundreds of them and a slow receiver the pager would not look at anything else, and lose its lease."""
_FARTHEST_MS: Final = int(max(LONGEST_WAIT_S, 2 * BACK_OFF_S[1]) * 1000)
"""No letter is ever put off for longer."""
_log = logging.getLogger(__name__)


class Courier:
    """Delivers for one process at a time (see `lease`)."""

    def __init__(
        self,
        outbox: Outbox,
        channels: Sequence[Channel],
        poster: Poster,
        clock: Clock,
        registry: CollectorRegistry,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._outbox = outbox
        self._channels = {one.name: one for one in channels}
        self._poster = poster
        self._clock = clock
        self._chance = chance
        self._deliveries = metrics.DELIVERIES.counter(registry)
        self._waiting = metrics.WAITING.gauge(registry)
        for name in self._channels:
            for result in ("sent", "failed"):
                self._deliveries.labels(name, result)
            self._waiting.labels(name).set(0)

    def turn(self) -> int:
        """Send what is due; returns how many letters were taken. A channel that fails is left alone until the next turn.

        Raises sqlalchemy.exc.SQLAlchemyError.
        """
        taken, broken = 0, set[str]()
        before: set[tuple[str, str]] = set()
        letters = self._outbox.waiting()
        until = self._clock.monotonic() + TURN_S
        for letter in letters:
            if self._clock.monotonic() >= until:
                break
            channel = self._channels.get(letter.channel)
            order = letter.channel, letter.notice.finding.key
            if channel is None or letter.channel in broken or order in before or not self._due(letter):
                # an alert's end must not overtake its beginning
                before.add(order)
                continue
            if self._deliver(letter, channel):
                taken += 1
            else:
                before.add(order)
                broken.add(letter.channel)
        if letters:
            for name, count in self._outbox.counts().items():
                self._waiting.labels(name).set(count)
        return taken

    def _due(self, letter: Letter) -> bool:
        """A clock that went back must not make a letter wait for hours."""
        now_ms = self._now_ms()
        return not now_ms < letter.due_ms <= now_ms + _FARTHEST_MS

    def _deliver(self, letter: Letter, channel: Channel) -> bool:
        pause_s = min(BACK_OFF_S[0] * 2.0 ** min(letter.attempts, 10), BACK_OFF_S[1]) * (1 + SPREAD * self._chance())
        self._outbox.trying(letter, self._now_ms() + int(pause_s * 1000))
        try:
            answer = self._poster.post(channel.request(letter.notice))
        except (Unreachable, ConfigError) as error:
            return self._failed(letter, pause_s, str(error))
        if not answer.taken:
            return self._failed(letter, max(pause_s, answer.retry_after_s), f"HTTP {answer.status}")
        self._outbox.sent(letter, self._now_ms())
        self._deliveries.labels(letter.channel, "sent").inc()
        return True

    def _failed(self, letter: Letter, pause_s: float, why: str) -> bool:
        self._outbox.failed(letter, self._now_ms() + int(pause_s * 1000), why)
        self._deliveries.labels(letter.channel, "failed").inc()
        _log.warning(
            "%s was not told that %s is %s (try %d, next in %.0f s): %s",
            letter.channel,
            letter.notice.finding.alert,
            letter.notice.kind,
            letter.attempts + 1,
            pause_s,
            why,
        )
        return False

    def _now_ms(self) -> int:
        return int(self._clock.now() * 1000)
