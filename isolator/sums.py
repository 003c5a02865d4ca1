"""What has been learned of every token, as decayed sums. Forgetting costs nothing: it changes one scale for all."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from isolator.interner import Floats, Ints, grown

_FAINT: Final = 1e-6
"""A smaller scale is multiplied into the table."""
_EVENTS, _SQUARES, _HANDLED, _WORK = range(4)


class Sums:
    """Per token events, squared events per tick, handled events and work, all decayed; and the time and the totals that they stand for.

    The table (tokens, 4) holds the sums over `scale`, a token's four side by side: reading thousands of tokens out of millions costs one miss each. 32 bits are
    exact enough: a tick adds a ten thousandth of a sum, 600 times what is rounded away.
    """

    def __init__(
        self,
        events: Floats,
        squares: Floats,
        handled: Floats,
        work: Floats,
        learned_s: float = 0.0,
        ticks: float = 0.0,
        all_events: float = 0.0,
        active_s: float = 0.0,
        *,
        warm: bool = False,
    ) -> None:
        """`all_events` counts those of tokens that are not told apart as well, `active_s` sums active tokens times seconds, `warm` was once old enough."""
        self._table: NDArray[np.float32] = np.column_stack((events, squares, handled, work)).astype(np.float32)
        self._scale = 1.0
        self.learned_s = learned_s
        self.ticks = ticks
        self.all_events = all_events
        self.active_s = active_s
        self.warm = warm
        # kept along, because there may be millions of tokens
        self.events_total, _, self.handled_total, self.work_total = self._table.sum(axis=0, dtype=np.float64).tolist()

    @staticmethod
    def empty() -> "Sums":
        """Nothing learned."""
        nothing = np.zeros(0)
        return Sums(nothing, nothing, nothing, nothing)

    def __len__(self) -> int:
        """Tokens that there is room for."""
        return len(self._table)

    def grow(self, size: int) -> None:
        """Room for `size` tokens."""
        self._table = grown(self._table, size)

    @property
    def events(self) -> Floats:
        """All tokens' events; a copy, as the next three."""
        return self._column(_EVENTS)

    @property
    def squares(self) -> Floats:
        """All tokens' squared events per tick."""
        return self._column(_SQUARES)

    @property
    def handled(self) -> Floats:
        """All tokens' handled events."""
        return self._column(_HANDLED)

    @property
    def work(self) -> Floats:
        """All tokens' work."""
        return self._column(_WORK)

    def _column(self, number: int) -> Floats:
        return self._table[:, number].astype(np.float64) * self._scale

    def of(self, ids: Ints) -> Floats:
        """events, squares, handled and work of `ids`, shape (4, len(ids))."""
        return (self._table[ids] * self._scale).T.astype(np.float64)

    def fade(self, factor: float) -> None:
        """Forget a little."""
        self._scale *= factor
        self.learned_s *= factor
        self.ticks *= factor
        self.all_events *= factor
        self.active_s *= factor
        self.events_total *= factor
        self.handled_total *= factor
        self.work_total *= factor
        if self._scale < _FAINT:
            self._table *= self._scale
            self._scale = 1.0

    def arrive(self, ids: Ints, events: Floats) -> None:
        """A tick's events of `ids`, each once."""
        self._table[ids, :_HANDLED] += np.column_stack((events, events**2)) / self._scale
        self.events_total += float(events.sum())

    def handle(self, ids: Ints, handled: Floats, work: Floats) -> None:
        """A tick's handled events and work of `ids`, each once."""
        self._table[ids, _HANDLED:] += np.column_stack((handled, work)) / self._scale
        self.handled_total += float(handled.sum())
        self.work_total += float(work.sum())
