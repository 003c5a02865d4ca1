"""PostHog's capture: a token bucket a key; what exceeds it is rerouted to the overflow topic as it arrives."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from isolator.interner import Floats, Ints
from isolator.simulate.contender import Orders, Reports, Site
from isolator.simulate.rivals.note import Note
from isolator.simulate.rivals.tally import Tally, busiest, mean_cost

PER_SECOND = 100.0
BURST_S = 10.0
"""1000 at 100 a second: the burst is ten seconds of the rate."""
SHARE = 0.1
"""Tuned: share of one consumer's records a second that a token may send."""
HEADROOM = 1.5
"""Tuned: times the largest learned rate, so that no usual tenant is limited."""

POSTHOG: Final = "https://github.com/PostHog/posthog/blob/00c5d0b71e7a43e5e9cf700b21a38882212aa22a/rust/capture/src"
NOTE: Final = Note(
    rule=(
        f"PostHog's capture keeps a token bucket for each `token:distinct_id`: {PER_SECOND:.0f} events a second, bursts of {PER_SECOND * BURST_S:.0f}. What exceeds it "
        "goes to the overflow topic (`overflow_enabled`, off by default)."
    ),
    sources=(("config.rs", f"{POSTHOG}/config.rs"), ("limiters/overflow.rs", f"{POSTHOG}/limiters/overflow.rs")),
    model="A bucket for each token, refilled and charged each second with what capture reports; who exceeds it is rerouted at capture until its bucket is full again.",
    kinder=(
        "Keyed by token: a flood from many ids, each of which is slow, would never exceed the original's key. The whole token is rerouted, not only the excess, until its "
        "bucket is full, so general is relieved of all of it and nothing flaps record by record."
    ),
    harsher=(
        "A large tenant of many calm ids is rerouted here and not by the original. The original judges each event as it arrives; here it hears, decides and acts as late "
        "as everybody else, two seconds or so."
    ),
    absent="Keys that an operator forces into overflow.",
)
TUNED: Final = f"The rate is {SHARE:.0%} of one consumer's records a second, and at least {HEADROOM:g} times the busiest usual tenant's: what a careful operator of this very site would set."


@dataclass(frozen=True)
class Bucket:
    """Makes the rule with `per_second` records of refill; None tunes it to the site."""

    name: str = "token bucket"
    per_second: float | None = PER_SECOND

    def __call__(self, site: Site) -> "BucketRule":
        rate = tuned(site) if self.per_second is None else self.per_second
        return BucketRule(site, self.name, rate)


def tuned(site: Site) -> float:
    """What a careful operator would set: a tenth of a consumer, and never under one and a half times the largest usual tenant."""
    return max(SHARE * site.capacity / mean_cost(site), HEADROOM * busiest(site)[0])


class BucketRule:
    """One bucket of `per_second` * 10 records for each token, filled up when it is looked at."""

    moves_backlog = False
    tick_s = 1.0

    def __init__(self, site: Site, name: str, per_second: float) -> None:
        self.name, self.per_second = name, per_second
        self._tally = Tally(site)
        self._full = per_second * BURST_S
        self._left: Floats = np.full(len(site.names), self._full)
        self._at_s: Floats = np.zeros(len(site.names))
        """When `_left` was so much, by the seconds of arrivals that were told."""
        self._now_s = 0.0
        self._over: set[int] = set()

    def see(self, reports: Reports) -> None:
        """Fold."""
        self._tally.see(reports)

    def tick(self, now_s: float) -> Orders:  # noqa: ARG002
        """Fill, take out what arrived, reroute who had too little; take back who has a full bucket."""
        told = self._tally.take()
        self._now_s += told.seconds
        ids, records, _ = told.arrived.by_token()
        level = self._filled(ids) - records
        # what does not pass costs nothing
        self._left[ids], self._at_s[ids] = np.maximum(level, 0.0), self._now_s
        move = [int(i) for i in ids[level < 0] if int(i) not in self._over]
        over = np.array(sorted(self._over), dtype=np.int64)
        home = over[self._filled(over) >= self._full - self.per_second].tolist()
        self._over = (self._over | set(move)) - set(home)
        return Orders(move=tuple(move), restore=tuple(home))

    def _filled(self, ids: Ints) -> Floats:
        filled = self._left[ids] + self.per_second * (self._now_s - self._at_s[ids])
        return np.minimum(filled, self._full)
