"""How fine slices are kept: a minute for six hours, five minutes for three days, an hour beyond. Sums stay exact."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from slo.slices import SLICE_S, Slice
from slo.windows import DAY, HOUR


@dataclass(frozen=True, slots=True)
class Resolution:
    """Slices of `step_s` are kept for `keep_s`, then merged into the next coarser ones."""

    step_s: int
    keep_s: int


RESOLUTIONS: Final = (Resolution(SLICE_S, 6 * HOUR), Resolution(300, 3 * DAY), Resolution(HOUR, 400 * DAY))
"""Finest first. 13 months of the coarsest, so that a report can look a year back."""


def cut(now_s: float, keep_s: int, next_step_s: int) -> int:
    """Slices that begin before this Unix second are merged: a multiple of the next step, so that no coarse slice is ever half full."""
    return int(now_s - keep_s) // next_step_s * next_step_s


def step_for(window_s: int) -> int:
    """The step of the slices at the far end of a rolling window."""
    return next((r.step_s for r in RESOLUTIONS if window_s <= r.keep_s), RESOLUTIONS[-1].step_s)


def window_begin(now_s: float, window_s: int) -> int:
    """The first slice (Unix second of its start) of a rolling window that ends at `now_s`: a multiple of the step at its far end."""
    step = step_for(window_s)
    return -(-(int(now_s) - window_s) // step) * step


def coarsen(slices: Mapping[int, Slice], step_s: int) -> dict[int, Slice]:
    """Slices by start (Unix seconds), merged into steps of `step_s`. The store does the same in SQL."""
    merged: dict[int, Slice] = {}
    for start, part in slices.items():
        at = start // step_s * step_s
        merged[at] = merged[at] + part if at in merged else part
    return merged
