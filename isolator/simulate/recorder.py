"""What truly happened in a run, counted from the batches: who waited how long, who was refused, and whether everything that came is accounted for."""

from isolator.interner import Bools, Ints
from isolator.simulate.queue import Portion
from isolator.simulate.world import Arrived, World


class Recorder:
    """A witness. `culprits` (tokens,) are everybody's but the innocents; only records that arrive within `span` are judged."""

    def __init__(self, culprits: Bools, span: tuple[float, float], slo_s: float) -> None:
        self._innocent = ~culprits
        self._span = span
        self._slo_s = slo_s
        self.arrived_events = 0.0
        self.handled_events = 0.0
        self.refused_events = 0.0
        self.innocents = 0.0
        """Innocent records that arrived or were refused within the span."""
        self.innocents_late = 0.0
        self.innocents_refused = 0.0
        self.innocents_refused_ever = 0.0
        """Outside the span as well."""
        self.worst_age_s = 0.0
        """Oldest innocent record when it was handled (or at the end, if it never was)."""

    def arrived(self, some: Arrived) -> None:
        """Count them."""
        self.arrived_events += float(some.events.sum())
        refused = float(some.refused.sum())
        self.refused_events += refused
        innocent = self._innocent[some.token]
        lost = float(some.refused[innocent].sum()) if refused else 0.0
        self.innocents_refused_ever += lost
        if self._judged(some.begin_s):
            self.innocents += float(some.events[innocent].sum()) + lost
            self.innocents_refused += lost

    def at_once(self, some: Arrived, lanes: Ints | None, slowness: float) -> None:
        """Handled without waiting."""
        del slowness
        here = some.events if lanes is None else some.events[lanes == 0]
        self.handled_events += float(here.sum())

    def taken(self, lane: int, partition: int, portion: Portion, slowness: float) -> None:
        """Handled, unless it was forwarded: then it still waits."""
        del lane, partition, slowness
        batch = portion.batch
        here = self._innocent[batch.token]
        events = batch.events
        if portion.lanes is not None:
            stays = portion.lanes <= 0
            self.handled_events += float(events[stays].sum()) * portion.part
            here &= stays
        else:
            self.handled_events += batch.total_events * portion.part
        if not self._judged(batch.begin_s):
            return
        mine = float(events[here].sum()) * portion.part
        if mine <= 0:
            return
        self.innocents_late += mine * portion.late(self._slo_s)
        self.worst_age_s = max(self.worst_age_s, *portion.ages())

    def finish(self, world: World) -> float:
        """The run is over: what still waits is as old as it is. Returns the events that wait."""
        waiting = 0.0
        for lane in world.lanes:
            batches = [b for queue in lane.queues for b in queue.batches]
            batches += [w.hang.batch for w in lane.workers if w.hang]
            for batch in batches:
                part = Portion(batch, batch.done, 1.0, world.now_s, world.now_s, None)
                waiting += batch.total_events * part.part
                mine = float(batch.events[self._innocent[batch.token]].sum()) * part.part
                if mine > 0 and self._judged(batch.begin_s):
                    self.innocents_late += mine * part.late(self._slo_s)
                    self.worst_age_s = max(self.worst_age_s, *part.ages())
        return waiting

    def _judged(self, begin_s: float) -> bool:
        return self._span[0] <= begin_s < self._span[1]
