"""Pulsar PIP-474, Key_Shared hot key overflow: when the replay queue is nearly full and a few keys make up most of it, they go to an overflow ledger."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from isolator.interner import Floats, Ints
from isolator.simulate.contender import Orders, Reports, Site
from isolator.simulate.rivals.note import Note
from isolator.simulate.rivals.tally import Tally

WATERMARK = 0.8
TOP = 10
DOMINANCE = 0.5
COOLDOWN_S = 60.0
PER_CONSUMER = 2_000
PER_SUBSCRIPTION = 20_000
SWEEP_S = 30.0
"""Between corrections of what is believed to wait."""
TUNED_SHARE = 1 / 3
"""Of the SLO."""

NOTE: Final = Note(
    rule=(
        f"When a Key_Shared subscription's replay queue holds {WATERMARK:.0%} of min({PER_CONSUMER:,} for each consumer, {PER_SUBSCRIPTION:,}) messages, its {TOP} largest keys are hot if "
        f"they make up {DOMINANCE:.0%} of it; their messages, those that wait too, go to an overflow ledger of their own. A key is released when nothing of it waits in either "
        f"and {COOLDOWN_S:.0f} s have passed."
    ),
    sources=(
        ("PIP-474", "https://github.com/apache/pulsar/blob/8c321bd2736f2479a1cba5887af943783f3d7bc4/pip/pip-474.md"),
    ),
    model="The queue is a partition's backlog in general, a key a token, the overflow ledger the overflow lane. Consumers are general's worker slots.",
    kinder="Overflow has workers of its own; in Pulsar the same consumers serve it.",
    harsher="Pulsar's replay queue holds only what could not be delivered, mostly the hot keys'; a log's backlog holds everybody, so the limit is reached and the ten are picked among innocents too.",
    absent="It is a proposal: what an implementation will add is not known.",
)
TUNED: Final = "Gated by time, not by number: the queue is full at a third of the SLO of waiting (our own gate's delay); and of the ten only as many go as make up the half."


@dataclass(frozen=True)
class Pulsar:
    """Makes the rule as published, or `tuned` to the site."""

    name: str = "Pulsar PIP-474"
    tuned: bool = False

    def __call__(self, site: Site) -> "HotKeyOverflow":
        return HotKeyOverflow(site, self.name, tuned=self.tuned)


class HotKeyOverflow:
    """Each partition judges for itself; a token that is hot on one is moved everywhere."""

    moves_backlog = True
    tick_s = 1.0

    def __init__(self, site: Site, name: str, *, tuned: bool) -> None:
        self.name, self.tuned = name, tuned
        self._tally = Tally(site)
        self._full = float(min(PER_CONSUMER * site.slots, PER_SUBSCRIPTION))
        self._full_s = site.slo_s * TUNED_SHARE
        self._hot_at: dict[int, float] = {}
        self._where: dict[int, Ints] = {}
        """On which partitions a hot one waited."""
        self._swept_s = 0.0

    def see(self, reports: Reports) -> None:
        """Fold."""
        self._tally.see(reports)

    def tick(self, now_s: float) -> Orders:
        """Detect on every partition over the watermark; release who is done."""
        tally = self._tally
        tally.take()
        fill = tally.delay_s() / self._full_s if self.tuned else tally.lag / self._full
        move: dict[int, None] = {}
        if now_s - self._swept_s >= SWEEP_S:
            # what telemetry lost on its way would wait for ever
            tally.waiting[tally.lag <= 0] = 0.0
            self._swept_s = now_s
        for partition in np.flatnonzero(fill >= WATERMARK).tolist():
            queue = tally.waiting[partition]
            for token in self._hot(queue, max(float(tally.lag[partition]), float(queue.sum()))):
                if token not in self._hot_at:
                    move[token] = None
                    self._where[token] = np.flatnonzero(tally.waiting[:, token] > 0)
                self._hot_at[token] = now_s
        home = [token for token, at in sorted(self._hot_at.items()) if self._released(token, at, now_s)]
        for token in home:
            del self._hot_at[token]
        return Orders(move=tuple(move), restore=tuple(home))

    def _hot(self, queue: Floats, total: float) -> list[int]:
        top = _top(queue)
        share = np.cumsum(queue[top]) / total if total > 0 else np.zeros(len(top))
        if not top or share[-1] < DOMINANCE:
            return []
        return top[: int(np.argmax(share >= DOMINANCE)) + 1] if self.tuned else top

    def _released(self, token: int, at: float, now_s: float) -> bool:
        # a moved token's records are forwarded as they come: what is left of it is in overflow
        return bool(now_s - at >= COOLDOWN_S and self._tally.side_lag[self._where[token]].sum() < 1.0)


def _top(queue: Floats) -> list[int]:
    """The ten largest that hold anything, largest first; ties by id."""
    ids = np.flatnonzero(queue > 0)
    return [int(i) for i in ids[np.argsort(-queue[ids], kind="stable")[:TOP]]]
