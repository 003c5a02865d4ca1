"""Top-10 by volume: what on-call does by hand. When the pipeline lags, the ten busiest tokens go."""

from collections import deque
from typing import Final

import numpy as np

from isolator.simulate.contender import Orders, Reports, Site
from isolator.simulate.rivals.note import Note
from isolator.simulate.rivals.tally import Interval, Tally, joined

TOP = 10
WINDOW_TICKS = 6
CALM_S = 60.0
LATE_SHARE = 1 / 3
"""Of the SLO."""

NOTE: Final = Note(
    rule=f"What on-call does by hand: the pipeline lags, so the {TOP} busiest tokens go to overflow, and come back when the lag is gone.",
    sources=(),
    model=(
        f"When the oldest record of a partition has waited for a third of the SLO (our own gate's delay), the {TOP} tokens that sent most records to the late partitions in "
        f"{WINDOW_TICKS * 5} s go, with their backlog, one lot at a time; back after {CALM_S:.0f} s without lag."
    ),
    kinder="It looks every 5 s, day and night, and at the late partitions only; a person needs minutes.",
)


class TopTen:
    """Ten at once."""

    name = "top-10 by volume"
    moves_backlog = True
    tick_s = 5.0

    def __init__(self, site: Site) -> None:
        self._tally = Tally(site)
        self._late_s = site.slo_s * LATE_SHARE
        self._past: deque[Interval] = deque(maxlen=WINDOW_TICKS)
        self._moved: tuple[int, ...] = ()
        self._late_at = 0.0

    def see(self, reports: Reports) -> None:
        """Fold."""
        self._tally.see(reports)

    def tick(self, now_s: float) -> Orders:
        """Move the ten when late; bring them back when it is over."""
        self._past.append(self._tally.take())
        late = np.flatnonzero(self._tally.delay_s() > self._late_s)
        if len(late):
            self._late_at = now_s
            if not self._moved:
                ids, volume, _ = joined([told.arrived for told in self._past]).on(late).by_token()
                self._moved = tuple(ids[np.argsort(-volume, kind="stable")[:TOP]].tolist())
                return Orders(move=self._moved)
        elif self._moved and now_s - self._late_at >= CALM_S:
            home, self._moved = self._moved, ()
            return Orders(restore=home)
        return Orders()
