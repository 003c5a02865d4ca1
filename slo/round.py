"""One round of evaluation: sums kept up, everybody judged, what is worth keeping kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, overload

import numpy as np
from sqlalchemy import Engine

from slo.calendar_budget import CalendarSums
from slo.clock import Clock
from slo.evaluation import Evaluation
from slo.history import History
from slo.objective import Objective
from slo.running import RunningSums
from slo.standing import Bench, Standing, resume

SPREAD: Final = 4
"""Rounds over which quiet objectives are stored in turn: at 15 s none is older than a minute."""
FEW: Final = 500
"""Up to so many objectives all are stored each round."""


@dataclass(frozen=True, slots=True)
class Round(Sequence[Evaluation]):
    """What a round found: evaluations in the order of the objectives, made when they are asked for."""

    bench: Bench
    standing: Standing

    def __len__(self) -> int:
        """How many objectives."""
        return len(self.bench.objectives)

    @overload
    def __getitem__(self, n: int) -> Evaluation: ...
    @overload
    def __getitem__(self, n: slice) -> list[Evaluation]: ...
    def __getitem__(self, n: int | slice) -> Evaluation | list[Evaluation]:
        """Objective number `n`'s evaluation."""
        if isinstance(n, slice):
            return [self[i] for i in range(*n.indices(len(self)))]
        return self.bench.evaluation(self.standing, range(len(self))[n])


class Rounds:
    """Evaluates `objectives` on the engine's slices. One thread uses it; a round that failed is repeated by the next one."""

    def __init__(self, engine: Engine, objectives: Sequence[Objective], clock: Clock) -> None:
        self._objectives = tuple(objectives)
        self._bench = Bench(self._objectives)
        self._sums = RunningSums(engine, self._bench.windows(), clock)
        self._calendars = CalendarSums(engine, self._objectives)
        self._history = History(engine)
        self._clock = clock
        self._standing: Standing | None = None
        self._number = 0

    def go(self) -> "Round":
        """Judge everybody now. Raises sqlalchemy.exc.SQLAlchemyError."""
        if self._number == 0:
            self._standing = resume(self._bench, self._history.newest())
        now = self._clock.now()
        self._standing = standing = self._bench.judge(self._sums.refresh(now), self._standing, self._calendars.at(now))
        self._history.save([self._bench.evaluation(standing, n) for n in self._worth_storing(standing)])
        self._number += 1
        return Round(self._bench, standing)

    def _worth_storing(self, standing: Standing) -> list[int]:
        """All of a few; of many those that changed or burn, and the rest in turn."""
        size = len(self._objectives)
        if size <= FEW or not self._number:
            return list(range(size))
        turn = (np.arange(size) + self._number) % SPREAD == 0
        chosen: list[int] = np.flatnonzero(
            turn | (standing.since_ms == standing.at_ms) | (standing.severity > 0)
        ).tolist()
        return chosen
