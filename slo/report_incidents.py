"""Incidents: stretches of time in which budgets burned faster than they may. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from slo.days import BadStep

GAP_S: Final = 300
"""Bad minutes with no longer calm between them are one stretch."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one objective had of a stretch: how much was bad, and for how many seconds."""

    slo: str
    bad: int
    bad_s: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of bad time, [begin, end) Unix seconds. `exact` when it is known to the minute."""

    begin: int
    end: int
    parts: tuple[Part, ...]
    """By objective, in the order of their names."""
    exact: bool = True

    def part(self, slo: str) -> Part | None:
        """What it was for one objective, None when it was not touched."""
        return next((part for part in self.parts if part.slo == slo), None)


def stretches(steps: Mapping[str, Iterable[BadStep]], gap_s: int = GAP_S) -> tuple[Stretch, ...]:
    """Bad steps of several objectives joined into stretches, in order of time; order and grouping of the input change nothing."""
    everything = sorted(((s.at, s.end, slo, s) for slo, some in steps.items() for s in some), key=lambda e: e[:3])
    groups: list[list[tuple[str, BadStep]]] = []
    end = 0
    for at, until, slo, step in everything:
        if not groups or at > end + gap_s:
            groups.append([])
            end = until
        groups[-1].append((slo, step))
        end = max(end, until)
    return tuple(_stretch(group) for group in groups)


def _stretch(group: Sequence[tuple[str, BadStep]]) -> Stretch:
    parts: dict[str, tuple[int, int]] = {}
    for slo, step in group:
        bad, seconds = parts.get(slo, (0, 0))
        parts[slo] = bad + step.bad, seconds + step.step_s
    return Stretch(
        min(step.at for _, step in group),
        max(step.end for _, step in group),
        tuple(Part(slo, *counts) for slo, counts in sorted(parts.items())),
        all(step.step_s == 60 for _, step in group),
    )
