"""Is the data of an event type as it should be? Counts in, findings out. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import Final

STEP_S: Final = 600
"""Counts are kept by steps of ten minutes."""
WINDOW_S: Final = 3600
"""A judgement is about the last whole hour of steps."""
DAYS: Final = 7
"""Volume is compared with the same hour of so many days before."""
LEAST_DAYS: Final = 3
"""With fewer of them known, volume is not judged."""
LEAST: Final = 100
"""Events (now, or usually) below which nothing is judged."""


class Signal(StrEnum):
    """What can be wrong."""

    VOLUME_DROP = "volume_drop"
    """Share of the usual volume that is missing."""
    VOLUME_RISE = "volume_rise"
    """Volume above the usual one, as a share of it: 3 is four times as much."""
    NULLS = "nulls"
    """Share of events with a required field missing or null."""
    DUPLICATES = "duplicates"
    """Share of events whose id was seen before."""
    LATE = "late"
    """Share of events that happened more than a day before they came."""
    INVALID = "invalid"
    """Share of a pipeline's events that break the contract; of no type."""


LIMITS: Final[Mapping[Signal, float]] = {
    Signal.VOLUME_DROP: 0.5,
    Signal.VOLUME_RISE: 3.0,
    Signal.NULLS: 0.01,
    Signal.DUPLICATES: 0.05,
    Signal.LATE: 0.05,
    Signal.INVALID: 0.01,
}
"""Above these a signal is a finding."""


@dataclass(frozen=True, slots=True)
class TypeCounts:
    """Sums of an event type over some steps."""

    events: int = 0
    nulls: int = 0
    duplicates: int = 0
    late: int = 0

    def __add__(self, other: "TypeCounts") -> "TypeCounts":
        """Both together."""
        return TypeCounts(
            self.events + other.events,
            self.nulls + other.nulls,
            self.duplicates + other.duplicates,
            self.late + other.late,
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """A signal of an event type ("" for the pipeline's) and how far it went; `over` its limit or not."""

    type: str
    signal: Signal
    value: float
    limit: float
    sentence: str = field(default="", compare=False)

    @property
    def over(self) -> bool:
        """Is it past its limit?"""
        return self.value > self.limit


def window(now_s: float) -> tuple[int, int]:
    """The hour that is judged at `now_s`: [begin, end) of whole steps, the last of which has ended a step ago (reports come late)."""
    end = int(now_s) // STEP_S * STEP_S - STEP_S
    return end - WINDOW_S, end


def usual_windows(now_s: float) -> list[tuple[int, int]]:
    """The same hour of the DAYS days before."""
    begin, end = window(now_s)
    return [(begin - day * 86_400, end - day * 86_400) for day in range(1, DAYS + 1)]


def judge(
    name: str, now: TypeCounts, past: Sequence[int], limits: Mapping[Signal, float] = LIMITS
) -> tuple[Finding, ...]:
    """The signals of an event type: `now` is the last hour, `past` the events of the same hour on those days before that were seen. Too few events say nothing."""
    found: list[Finding] = []

    def add(signal: Signal, value: float, sentence: str) -> None:
        found.append(Finding(name, signal, value, limits[signal], sentence))

    usual = median(past) if len(past) >= LEAST_DAYS else 0.0
    if max(now.events, usual) >= LEAST and usual > 0:
        told = f"{name}: {now.events:,} events in the hour, usually {usual:,.0f} (median of {len(past)} days)"
        add(Signal.VOLUME_DROP, max(1 - now.events / usual, 0.0), told)
        add(Signal.VOLUME_RISE, max(now.events / usual - 1, 0.0), told)
    if now.events >= LEAST:
        for signal, count, what in (
            (Signal.NULLS, now.nulls, "lack a required field"),
            (Signal.DUPLICATES, now.duplicates, "were sent twice"),
            (Signal.LATE, now.late, "happened more than a day before"),
        ):
            add(signal, count / now.events, f"{name}: {count:,} of {now.events:,} events {what}")
    return tuple(found)


def judge_invalid(invalid: int, all_of_them: int, limits: Mapping[Signal, float] = LIMITS) -> tuple[Finding, ...]:
    """The share of a pipeline's events that break the contract."""
    if all_of_them < LEAST:
        return ()
    told = f"{invalid:,} of {all_of_them:,} events break the contract"
    return (Finding("", Signal.INVALID, invalid / all_of_them, limits[Signal.INVALID], told),)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Those past their limit first, the farthest past it before the others."""
    return sorted(findings, key=lambda f: (not f.over, -f.value / f.limit, f.type, f.signal))
