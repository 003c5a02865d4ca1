"""Booking: what is known of one minute becomes its slices, per population. Pure; knows nothing of Kafka.

An event is booked to the minute in which it was appended to general. Expected is what was appended then, so a stalled lane burns budget instead of
going silent: what no worker has resolved GRACE_S after the deadline is bad.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from slo.objective import Audience
from slo.presets import MOVED_WITHIN_S
from slo.slices import SLICE_S, Slice

GRACE_S: Final = 60.0
"""After an event's deadline its outcome may be on its way for this long."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Outcomes of one minute's events of one population, counted by the general lane or by the side lanes.

    `slow` is past T, but within what is promised to moved tokens. `excluded` are invalid, replayed and historical events: never expected. `forwarded`
    are events that general sent on: another lane tells their outcome.
    """

    good: int = 0
    slow: int = 0
    late: int = 0
    dead: int = 0
    excluded: int = 0
    forwarded: int = 0

    @property
    def resolved(self) -> int:
        """Events whose outcome is known and counts."""
        return self.good + self.slow + self.late + self.dead


NOTHING: Final = Tally()


@dataclass(frozen=True, slots=True)
class Minute:
    """All that is known of one minute.

    `offsets` is what the probe told, by partition (set, never added); `plumbing` the gaps and canaries among them, as general saw them.
    """

    partitions: int
    offsets: Mapping[int, int] = field(default_factory=dict)
    plumbing: int = 0
    general: Mapping[Audience, Tally] = field(default_factory=dict)
    side: Mapping[Audience, Tally] = field(default_factory=dict)

    def _both(self, who: Audience) -> tuple[Tally, Tally]:
        return self.general.get(who, NOTHING), self.side.get(who, NOTHING)

    def resolved(self, who: Audience) -> int:
        """Events of a population with an outcome that counts."""
        return sum(tally.resolved for tally in self._both(who))

    def seen(self, who: Audience) -> int:
        """Events of a population that are known to exist: general sees each first, so it counts them; what a side lane then excludes is taken off."""
        general, side = self._both(who)
        return max(general.resolved + general.forwarded - side.excluded, self.resolved(who))

    @property
    def observed_s(self) -> int:
        """Seconds of the minute for which the expected events are known: in proportion to the partitions that were told."""
        return SLICE_S * min(len(self.offsets), self.partitions) // self.partitions

    @property
    def expected(self) -> int:
        """Events of all populations: offsets less plumbing and excluded ones; never fewer than were seen."""
        excluded = sum(tally.excluded for who in (Audience.PROTECTED, Audience.MOVED) for tally in self._both(who))
        known = self.seen(Audience.PROTECTED) + self.seen(Audience.MOVED)
        return max(sum(self.offsets.values()) - self.plumbing - excluded, known)

    def slice(self, who: Audience, *, closed: bool) -> Slice:
        """The minute's slice of a population.

        `closed`: the deadline and its grace have passed, so that what is unresolved is bad; before that only known outcomes are due. What nobody has
        seen yet belongs to the protected: general is stalled, and whose events they are is not known. Late data revises that.
        """
        counted: tuple[Audience, ...]
        if who is Audience.ALL:
            counted = (Audience.PROTECTED, Audience.MOVED)
            expected = self.expected
        else:
            counted = (who,)
            moved = self.seen(Audience.MOVED)
            expected = moved if who is Audience.MOVED else self.expected - moved
        tallies = [tally for population in counted for tally in self._both(population)]
        good = sum(tally.good + (tally.slow if who is Audience.MOVED else 0) for tally in tallies)
        resolved = sum(tally.resolved for tally in tallies)
        expected = max(expected, resolved)
        return Slice(good, expected if closed else resolved, expected, self.observed_s)


def closes_at(minute: int, slo_s: float, who: Audience) -> float:
    """Unix seconds at which a Unix minute's slice of a population is closed: its end, the deadline, GRACE_S."""
    deadline = max(slo_s, MOVED_WITHIN_S) if who is Audience.MOVED else slo_s
    return (minute + 1) * 60 + deadline + GRACE_S
